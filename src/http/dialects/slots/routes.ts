import type { z } from 'zod';
import type { Core } from '../../../core/core.ts';
import { parseObjectId } from '../../../ids.ts';
import type { Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import { sunsetOf } from '../../verbs/object-bytes.ts';
import { putRoute } from './put.ts';
import {
  type CreateBody,
  createBody,
  createReply,
  downloadReply,
  encodePage,
  encodeSlot,
  expectedBytes,
  listQuery,
  listReply,
  record,
  requiredHeaders,
  updateBody,
} from './wire.ts';

/** Slots for uploads by signed URL, and download URLs: files of the same registry as every file by id. */
export function slotsDialect(options: { readonly maxFileBytes: number }): Dialect {
  return {
    name: 'slots',
    mounts: [''],
    routes: (core) => [
      create(core, options.maxFileBytes),
      putRoute(core),
      download(core),
      list(core),
      update(core),
      remove(core),
    ],
  };
}

// An answer that carries a signed URL carries a credential.
const SECRET = { 'Cache-Control': 'private, no-store' };
const FOREIGN = { description: 'It belongs to another tenant.' };
const MISSING = { description: 'There is no such file, or it is not yours to see.' };

function create(core: Core, maxBytes: number): Route {
  return {
    method: 'POST',
    path: '/storage/upload',
    name: 'slots.create',
    summary: 'Reserve a slot, and get the URL that its bytes are PUT to within fifteen minutes.',
    access: 'files:write',
    creates: true,
    body: createBody,
    bodyKinds: ['json'],
    replies: {
      200: { description: 'The URL, and the headers to send with it.', schema: createReply },
      400: { description: 'A content type that is none, or another field that is not as documented.' },
      413: { description: 'Expected to be larger than allowed.' },
      507: { description: 'There is no room for what is expected.' },
    },
    handle: async (call) => {
      const body = await call.json<CreateBody>();
      const { content_type: contentType, visibility } = body;
      const { id, upload, expiresAt } = await core.slots.create(call.grant, {
        ...{ contentType, visibility, filename: body.file_name ?? null, maxBytes },
        expectedBytes: expectedBytes(body),
        expiresAfterSeconds: body.expires_after ?? null,
      });
      return {
        status: 200,
        headers: { ...SECRET, ...sunsetOf({ expiresAt }) },
        json: {
          file_id: id,
          upload_url: `${call.publicUrl}${upload.path}`,
          expires_at: upload.expiresAt.toISOString(),
          required_headers: requiredHeaders(contentType, maxBytes),
        },
      };
    },
  };
}

function download(core: Core): Route {
  return {
    method: 'GET',
    path: '/storage/download/:id',
    name: 'slots.download',
    summary: 'A URL that the bytes are read from without a credential, for fifteen minutes. Counts one download.',
    access: 'files:read',
    replies: {
      200: { description: 'The URL.', schema: downloadReply },
      403: { description: 'It is another tenant’s and private.' },
      404: { description: 'There is no such file, it was deleted, or its upload failed.' },
      409: { description: 'Its bytes have not been uploaded yet.' },
    },
    handle: async (call) => {
      const { path, expiresAt } = await core.slots.download(call.grant, parseObjectId(call.param('id')));
      const json = { download_url: `${call.publicUrl}${path}`, expires_at: expiresAt.toISOString() };
      return { status: 200, headers: SECRET, json };
    },
  };
}

function list(core: Core): Route {
  return {
    method: 'GET',
    path: '/storage/files',
    name: 'slots.list',
    summary: 'List the files of the calling tenant, newest first, whichever API made them.',
    access: 'files:read',
    query: listQuery,
    replies: {
      200: { description: 'One page.', schema: listReply },
      400: { description: 'A limit or offset out of its range.' },
    },
    handle: async (call) => {
      const query = call.query<z.infer<typeof listQuery>>();
      return { status: 200, json: encodePage(await core.slots.list(call.grant, query), query) };
    },
  };
}

function update(core: Core): Route {
  return {
    method: 'PATCH',
    path: '/storage/:id',
    name: 'slots.update',
    summary: 'Make a file public or private.',
    access: 'files:write',
    body: updateBody,
    bodyKinds: ['json'],
    replies: {
      200: { description: 'The file.', schema: record },
      400: { description: 'Another visibility than the documented ones.' },
      403: FOREIGN,
      404: MISSING,
    },
    handle: async (call) => {
      const { visibility } = await call.json<z.infer<typeof updateBody>>();
      const slot = await core.slots.setVisibility(call.grant, parseObjectId(call.param('id')), visibility);
      return { status: 200, headers: sunsetOf(slot), json: encodeSlot(slot) };
    },
  };
}

function remove(core: Core): Route {
  return {
    method: 'DELETE',
    path: '/storage/:id',
    name: 'slots.delete',
    summary: 'Delete a file and every link to it. Again for a deleted one: nothing.',
    access: 'files:write',
    replies: {
      204: { description: 'It is gone, now or before.' },
      403: FOREIGN,
      404: { description: 'There never was such a file, or it is not yours to see.' },
    },
    handle: async (call) => {
      await core.slots.remove(call.grant, parseObjectId(call.param('id')));
      return { status: 204, empty: true };
    },
  };
}
