import type { Core } from '../../../core/core.ts';
import { parseUploadId } from '../../../ids.ts';
import type { Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import { answerTus, TUS_VERSION, type UploadLimits } from './tus.ts';
import { CHECKSUM_ALGORITHMS, encodeUpload, uploadObject, whoseOf } from './wire.ts';

/** Uploads that go on where they broke off, by the tus protocol. */
export function uploadsDialect(limits: UploadLimits): Dialect {
  return {
    name: 'uploads',
    mounts: ['/v1/uploads'],
    routes: (core) => [
      options(core, limits),
      create(core, limits),
      head(core, limits),
      get(core),
      patch(core, limits),
      terminate(core, limits),
    ],
    // uploads.md: an upload whose time is over is gone
    statuses: () => ({ expired: 410 }),
    errorHeaders: { 'tus-resumable': TUS_VERSION, 'tus-version': TUS_VERSION },
  };
}

const GONE = { description: 'There is no such upload, or it is not yours.' };
const OVER = { description: 'Its time is over; begin again.' };
const BUSY = { description: 'It goes on at another byte, or another request is at work on it.' };
const VERSION = { description: 'The header `Tus-Resumable: 1.0.0` is missing.' };
const FULL = { description: 'The quota is used up; `used`, `limit` and `requested` say how far.' };
const MISMATCH = { description: 'The part is not what `Upload-Checksum` says; nothing of it was kept.' };

function options(core: Core, limits: UploadLimits): Route {
  return {
    method: 'OPTIONS',
    path: '',
    name: 'uploads.options',
    summary: 'Which version and extensions of the tus protocol are spoken here.',
    access: 'public',
    replies: { 204: { description: '`Tus-Version`, `Tus-Extension` and `Tus-Checksum-Algorithm`.' } },
    handle: async (call) => {
      const reply = await answerTus(core, call, limits);
      const algorithms = { 'Tus-Checksum-Algorithm': CHECKSUM_ALGORITHMS.join(',') };
      return { ...reply, headers: { ...reply.headers, ...algorithms } };
    },
  };
}

function create(core: Core, limits: UploadLimits): Route {
  return {
    method: 'POST',
    path: '',
    name: 'uploads.create',
    summary:
      'Begin an upload: `Upload-Length`, and `Upload-Metadata` that names where it finishes. The room is reserved.',
    access: 'credential',
    creates: true,
    bodyKinds: ['raw'],
    replies: {
      201: { description: 'It can begin, or has begun with the body; `Location` is its URL.' },
      400: { description: 'No length, no target, or one that cannot be written to.' },
      403: { description: 'The credential may not write there.' },
      404: { description: 'The agent has no workspace.' },
      412: VERSION,
      413: { description: 'Larger than a file there may be.' },
      429: { description: 'Too many uploads of this tenant are open.' },
      460: MISMATCH,
      507: FULL,
    },
    handle: (call) => answerTus(core, call, limits),
  };
}

function head(core: Core, limits: UploadLimits): Route {
  return {
    method: 'HEAD',
    path: '/:id',
    name: 'uploads.head',
    summary: 'Where the upload goes on: `Upload-Offset`. A request that is still at work on it is ended.',
    access: 'credential',
    replies: {
      200: {
        description: '`Upload-Offset`, `Upload-Length`, `Upload-Metadata`, and `Upload-Expires` or `Upload-Result`.',
      },
      404: GONE,
      409: BUSY,
      410: OVER,
      412: VERSION,
    },
    handle: (call) => answerTus(core, call, limits),
  };
}

function get(core: Core): Route {
  return {
    method: 'GET',
    path: '/:id',
    name: 'uploads.get',
    summary: 'How far the upload is, and what has become of it. Ends nobody’s request.',
    access: 'credential',
    replies: { 200: { description: 'The upload.', schema: uploadObject }, 404: GONE },
    handle: async (call) => {
      const upload = await core.uploads.get(call.grant, parseUploadId(call.param('id')));
      call.tally.concerns(whoseOf(upload));
      return { status: 200, json: encodeUpload(call.publicUrl, upload) };
    },
  };
}

function patch(core: Core, limits: UploadLimits): Route {
  return {
    method: 'PATCH',
    path: '/:id',
    name: 'uploads.patch',
    summary: 'Append at `Upload-Offset`. With the last byte the file is at its destination, durably.',
    access: 'credential',
    bodyKinds: ['raw'],
    replies: {
      204: { description: '`Upload-Offset` is where it goes on; `Upload-Result` is the finished file.' },
      400: { description: 'The destination cannot be written to any more; the upload stays, to be finished later.' },
      404: GONE,
      409: BUSY,
      410: OVER,
      412: VERSION,
      413: { description: 'More than `Upload-Length`.' },
      415: { description: 'Not `application/offset+octet-stream`.' },
      460: MISMATCH,
      507: FULL,
    },
    handle: (call) => answerTus(core, call, limits),
  };
}

function terminate(core: Core, limits: UploadLimits): Route {
  return {
    method: 'DELETE',
    path: '/:id',
    name: 'uploads.terminate',
    summary: 'End the upload and give its room back. What has finished stays where it is.',
    access: 'credential',
    replies: { 204: { description: 'It is gone.' }, 404: GONE, 409: BUSY, 412: VERSION },
    handle: (call) => answerTus(core, call, limits),
  };
}
