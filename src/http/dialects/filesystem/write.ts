import { Readable } from 'node:stream';
import type { z } from 'zod';
import type { Clock } from '../../../clock.ts';
import type { Core, Volume } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import type { Entry } from '../../../tree/entry.ts';
import { ROOT, type TreePath } from '../../../tree/path.ts';
import type { PlaceMode } from '../../../tree/tree.ts';
import type { Call, Route } from '../../call.ts';
import { etagOf, expectedBy } from '../../verbs/conditions.ts';
import { decodeContent } from '../../verbs/content.ts';
import { fileNamed, openToChange, openToWrite } from './target.ts';
import {
  createBody,
  createQuery,
  createReply,
  deleteQuery,
  deleteReply,
  encodeCreated,
  encodeUpdated,
  showPath,
  updateBody,
  updateQuery,
  updateReply,
} from './wire.ts';

/** What a write carries, whichever way it was sent. */
interface Incoming {
  readonly body: Readable;
  readonly bytes: number | null;
  readonly permissions: number | undefined;
}

export function createRoute(core: Core, maxFileBytes: number): Route {
  return {
    method: 'POST',
    path: '/files{/*path}',
    name: 'filesystem.create',
    summary: 'Create a file, with its parents, from JSON or from the raw body (any other content type, or `raw=true`).',
    access: 'workspace:write',
    query: createQuery,
    body: createBody,
    bodyKinds: ['json', 'raw'],
    creates: true,
    replies: {
      201: { description: 'Created.', schema: createReply },
      400: { description: 'A bad path or body.' },
      409: { description: 'Something is there already; `overwrite` replaces a file.' },
      413: { description: 'Larger than allowed.' },
      507: { description: 'The quota is used up; nothing was written.' },
    },
    handle: async (call) => {
      const query = call.query<z.infer<typeof createQuery>>();
      const path = call.path('path');
      if (isRaw(call, query.raw)) {
        const incoming = { body: call.body, bytes: call.contentLength, permissions: query.permissions };
        return created(
          await write(await openToWrite(core, call), call, path, modeOf(query.overwrite), incoming, maxFileBytes),
        );
      }
      const body = await call.json<z.infer<typeof createBody>>();
      const mode = modeOf(body.overwrite || query.overwrite);
      const incoming = fromJson(body);
      return created(await write(await openToWrite(core, call), call, path, mode, incoming, maxFileBytes));
    },
  };
}

const modeOf = (overwrite: boolean): PlaceMode => (overwrite ? 'upsert' : 'create');

const created = (entry: Entry) => ({ status: 201, headers: { ETag: etagOf(entry) }, json: encodeCreated(entry) });

export function updateRoute(core: Core, maxFileBytes: number): Route {
  return {
    method: 'PUT',
    path: '/files{/*path}',
    name: 'filesystem.update',
    summary: 'Replace a file, in one step; `upsert=true` also makes it.',
    access: 'workspace:write',
    query: updateQuery,
    body: updateBody,
    bodyKinds: ['json', 'raw'],
    replies: {
      200: { description: 'Replaced.', schema: updateReply },
      404: { description: 'There is no such file, and no `upsert=true`.' },
      412: { description: 'If-Match names another version.' },
      413: { description: 'Larger than allowed.' },
      507: { description: 'The quota is used up; the old content is as it was.' },
    },
    handle: async (call) => {
      const query = call.query<z.infer<typeof updateQuery>>();
      const path = call.path('path');
      const incoming = isRaw(call, query.raw)
        ? { body: call.body, bytes: call.contentLength, permissions: query.permissions }
        : fromJson(await call.json<z.infer<typeof updateBody>>());
      const volume = await (query.upsert ? openToWrite(core, call) : openToChange(core, call));
      const entry = await write(volume, call, path, query.upsert ? 'upsert' : 'update', incoming, maxFileBytes);
      return { status: 200, headers: { ETag: etagOf(entry) }, json: encodeUpdated(entry) };
    },
  };
}

function isRaw(call: Call, asked: boolean): boolean {
  return asked || call.contentType?.split(';', 1)[0]?.trim().toLowerCase() !== 'application/json';
}

function fromJson(body: z.infer<typeof updateBody>): Incoming {
  const bytes = decodeContent(body.content, body.encoding);
  return { body: Readable.from([bytes]), bytes: bytes.length, permissions: body.permissions };
}

async function write(
  volume: Volume,
  call: Call,
  path: TreePath,
  mode: PlaceMode,
  incoming: Incoming,
  maxFileBytes: number,
): Promise<Entry> {
  const entry = await volume.write(path, incoming.body, {
    mode,
    maxBytes: maxFileBytes,
    declaredBytes: incoming.bytes,
    expected: expectedBy(call.conditions),
    ...(incoming.permissions === undefined ? {} : { permissions: incoming.permissions }),
  });
  call.tally.brought(1);
  return entry;
}

export function deleteRoute(core: Core, clock: Clock): Route {
  return {
    method: 'DELETE',
    path: '/files{/*path}',
    name: 'filesystem.delete',
    summary: 'Delete a file, a link or a special file. A directory goes by DELETE directories.',
    access: 'workspace:write',
    query: deleteQuery,
    replies: {
      200: { description: 'It is gone.', schema: deleteReply },
      404: { description: 'There is no such file or workspace.' },
      409: { description: 'It is a directory.' },
      412: { description: 'If-Match names another version.' },
    },
    handle: async (call) => {
      const path = fileNamed(call, call.query<z.infer<typeof deleteQuery>>().path_b64);
      const volume = await openToChange(core, call);
      if (path === ROOT) throw new FsError('is_directory', 'the root is a directory; empty it with DELETE directories');
      await volume.remove(path, { recursive: false, expected: expectedBy(call.conditions) });
      return { status: 200, json: { path: showPath(path), deleted_at: clock().toISOString() } };
    },
  };
}
