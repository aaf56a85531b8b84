import type { z } from 'zod';
import type { Core } from '../../../core/core.ts';
import { parseObjectId } from '../../../ids.ts';
import type { Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import { objectBytes, sunsetOf } from '../../verbs/object-bytes.ts';
import { createRoute } from './create.ts';
import {
  decodeFilter,
  decodeTtl,
  encodeFile,
  encodeList,
  fileObject,
  listQuery,
  listReply,
  urlQuery,
  urlReply,
} from './wire.ts';

/** Files of a tenant's end users, addressed by id; and the signed links to their bytes. */
export function filesDialect(options: { readonly maxFileBytes: number }): Dialect {
  return {
    name: 'files',
    mounts: [''],
    routes: (core) => [
      createRoute(core, options.maxFileBytes),
      list(core),
      get(core),
      content(core),
      url(core),
      remove(core),
      signed(core),
    ],
  };
}

const PENDING = { description: 'Its bytes have not been uploaded yet: it is a slot that waits for them.' };
const MISSING = { description: 'There is no such file, or it is not yours to see.' };

function list(core: Core): Route {
  return {
    method: 'GET',
    path: '/v1/files',
    name: 'files.list',
    summary: 'List files, newest first. Filters combine with AND.',
    access: 'files:read',
    query: listQuery,
    replies: { 200: { description: 'One page.', schema: listReply }, 400: { description: 'A bad filter or cursor.' } },
    handle: async (call) => {
      const query = call.query<z.infer<typeof listQuery>>();
      const page = { limit: query.limit, cursor: query.cursor ?? null };
      return { status: 200, json: encodeList(await core.objects.list(call.grant, decodeFilter(query), page)) };
    },
  };
}

function get(core: Core): Route {
  return {
    method: 'GET',
    path: '/v1/files/:id',
    name: 'files.get',
    summary: 'What is known of one file.',
    access: 'files:read',
    replies: { 200: { description: 'The file.', schema: fileObject }, 404: MISSING, 409: PENDING },
    handle: async (call) => {
      const file = await core.objects.get(call.grant, parseObjectId(call.param('id')));
      call.tally.concerns(file);
      return { status: 200, headers: sunsetOf(file), json: encodeFile(file) };
    },
  };
}

function content(core: Core): Route {
  return {
    method: 'GET',
    path: '/v1/files/:id/content',
    name: 'files.content',
    summary: 'The bytes of one file; ranges and conditional requests work.',
    access: 'files:read',
    replies: { 200: { description: 'The bytes, with their own content type.' }, 404: MISSING, 409: PENDING },
    handle: (call) => objectBytes(core, call, {}),
  };
}

function signed(core: Core): Route {
  return {
    method: 'GET',
    path: '/signed/files/:id',
    name: 'files.signed',
    summary: 'The bytes of one file by a signed link; no other credential is needed.',
    access: 'signed',
    replies: {
      200: { description: 'The bytes, with their own content type.' },
      403: { description: 'The link has expired, or is not as it was given out.' },
      404: { description: 'The file was deleted.' },
    },
    handle: (call) =>
      objectBytes(core, call, { 'Cache-Control': 'private, no-store', 'Referrer-Policy': 'no-referrer' }),
  };
}

function url(core: Core): Route {
  return {
    method: 'GET',
    path: '/v1/files/:id/url',
    name: 'files.url',
    summary: 'A link to the bytes that works without a credential until it expires or the file is deleted.',
    access: 'files:read',
    query: urlQuery,
    replies: {
      200: { description: 'The link.', schema: urlReply },
      400: { description: 'A lifetime that is none, or over seven days.' },
      404: MISSING,
      409: PENDING,
    },
    handle: async (call) => {
      const ttlSeconds = decodeTtl(call.query<z.infer<typeof urlQuery>>().expiresIn);
      const link = await core.objects.link(call.grant, parseObjectId(call.param('id')), ttlSeconds);
      call.tally.concerns(link.object);
      return {
        status: 200,
        headers: { 'Cache-Control': 'private, no-store' },
        json: { url: `${call.publicUrl}${link.path}`, expiresAt: link.expiresAt.toISOString() },
      };
    },
  };
}

function remove(core: Core): Route {
  return {
    method: 'DELETE',
    path: '/v1/files/:id',
    name: 'files.delete',
    summary: 'Delete a file and every link to it. Copies in workspaces live on.',
    access: 'files:write',
    replies: { 204: { description: 'It is gone, now or before.' }, 404: MISSING, 409: PENDING },
    handle: async (call) => {
      await core.objects.remove(call.grant, parseObjectId(call.param('id')));
      return { status: 204, empty: true };
    },
  };
}
