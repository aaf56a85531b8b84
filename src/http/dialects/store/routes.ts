import type { z } from 'zod';
import type { Core, ReadVolume, Volume } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { display, nameOf, parseDirectory, parsePath, type TreePath } from '../../../tree/path.ts';
import type { Call, Reply, Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import { archiveRoutes } from '../../verbs/archives.ts';
import { expectedBy } from '../../verbs/conditions.ts';
import { afterCursor, pathCursor } from '../../verbs/cursor.ts';
import { eventsRoute, type FeedOf } from '../../verbs/events.ts';
import { amendEntry, describeEntry, type MetadataPatch, metadataObject, metadataPatch } from '../../verbs/metadata.ts';
import { operationsBody, operationsReplies, relocate } from '../../verbs/relocation.ts';
import { SEARCH, search } from '../../verbs/search.ts';
import { success } from '../../verbs/shapes.ts';
import { uploadRoute } from './upload.ts';
import {
  deleteQuery,
  downloadQuery,
  encodeEntry,
  listQuery,
  listReply,
  metadataQuery,
  mkdirBody,
  moveBody,
  showPath,
} from './wire.ts';

const DONE: Reply = { status: 200, json: { success: true } };

/** The tenant file store: one shared tree per tenant, addressed by path. */
export function storeDialect(options: { readonly maxFileBytes: number }): Dialect {
  return {
    name: 'store',
    mounts: ['/api/v1/files'],
    routes: (core) => [
      list(core),
      download(core),
      uploadRoute(core, options.maxFileBytes),
      remove(core),
      move(core),
      copy(core),
      ...archives(core, options.maxFileBytes),
      mkdir(core),
      searchRoute(core),
      readMetadata(core),
      patchMetadata(core),
      eventsRoute(core, FEED),
    ],
    statuses: (route) => STATUSES[route],
  };
}

// store.md gives these calls one word for everything that is wrong with what was asked: 400.
const STATUSES: Readonly<Record<string, ReturnType<NonNullable<Dialect['statuses']>>>> = {
  'store.delete': { not_empty: 400 },
  'store.move': { not_found: 400, exists: 400 },
  'store.mkdir': { exists: 400 },
};

function archives(core: Core, maxFileBytes: number): readonly Route[] {
  return archiveRoutes({
    dialect: 'store',
    scopes: { read: 'store:read', write: 'store:write' },
    openToRead: (call) => openToRead(core, call),
    openToChange: (call) => openToWrite(core, call),
    showPath,
    maxFileBytes,
  });
}

const FEED: FeedOf = {
  dialect: 'store',
  access: 'store:read',
  ref: ({ grant }) => ({ kind: 'store', tenant: grant.tenant }),
  showPath,
};

function openToRead(core: Core, call: Call): Promise<ReadVolume> {
  return core.volumes.open(call.grant, { kind: 'store', tenant: call.grant.tenant }, 'read');
}

function openToWrite(core: Core, call: Call): Promise<Volume> {
  return core.volumes.open(call.grant, { kind: 'store', tenant: call.grant.tenant }, 'write');
}

function isGone(error: unknown): boolean {
  return error instanceof FsError && error.code === 'not_found';
}

function list(core: Core): Route {
  return {
    method: 'GET',
    path: '',
    name: 'store.list',
    summary: 'List one directory, sorted by name. A missing directory is an empty list.',
    access: 'store:read',
    query: listQuery,
    replies: {
      200: { description: 'The entries.', schema: listReply },
      400: { description: 'The path is a file, or no path.' },
    },
    handle: async (call) => {
      const query = call.query<z.infer<typeof listQuery>>();
      const dir = parseDirectory(query.path);
      const volume = await openToRead(core, call);
      return { status: 200, json: await page(volume, dir, query) };
    },
  };
}

async function page(volume: ReadVolume, dir: TreePath, query: z.infer<typeof listQuery>) {
  const after = afterCursor(query.cursor, dir);
  try {
    const { entries, next } = await volume.list(dir, { after, limit: query.limit, depth: 1 });
    return { files: entries.map(encodeEntry), ...(next === null ? {} : { next_cursor: pathCursor(next) }) };
  } catch (error) {
    if (isGone(error)) return { files: [] }; // store.md: 404 is not in this dialect's documented set
    throw error;
  }
}

function download(core: Core): Route {
  return {
    method: 'GET',
    path: '/download',
    name: 'store.download',
    summary: 'Download one file; ranges and conditional requests work.',
    access: 'store:read',
    query: downloadQuery,
    replies: {
      200: { description: 'The bytes, as `application/octet-stream`.' },
      400: { description: 'No path, or a directory.' },
      404: { description: 'There is no such file.' },
    },
    handle: async (call) => {
      const path = parsePath(call.query<z.infer<typeof downloadQuery>>().path);
      const volume = await openToRead(core, call);
      const file = await volume.open(path);
      return { status: 200, file, contentType: 'application/octet-stream', downloadName: display(nameOf(path)) };
    },
  };
}

function remove(core: Core): Route {
  return {
    method: 'DELETE',
    path: '',
    name: 'store.delete',
    summary: 'Delete a file, or a directory with `recursive=true`. Deleting what is gone already succeeds.',
    access: 'store:write',
    query: deleteQuery,
    replies: {
      204: { description: 'It is gone.' },
      400: { description: 'No path, or a directory without `recursive=true`.' },
      412: { description: 'If-Match names another version.' },
    },
    handle: async (call) => {
      const { path, recursive } = call.query<z.infer<typeof deleteQuery>>();
      const volume = await openToWrite(core, call);
      try {
        const target = recursive ? parseDirectory(path) : parsePath(path);
        await volume.remove(target, { recursive, expected: expectedBy(call.conditions) });
      } catch (error) {
        if (!isGone(error)) throw error;
      }
      return { status: 204, empty: true };
    },
  };
}

function move(core: Core): Route {
  return {
    method: 'POST',
    path: '/move',
    name: 'store.move',
    summary: 'Move or rename a file or directory, with its metadata.',
    access: 'store:write',
    body: moveBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      200: { description: 'Moved.', schema: success },
      400: { description: 'The source is missing, or the destination exists.' },
      412: { description: 'The destination is not what If-Match or If-None-Match demands.' },
    },
    handle: async (call) => {
      const body = await call.json<z.infer<typeof moveBody>>();
      const from = parseDirectory(body.src_path);
      const to = parseDirectory(body.dst_path);
      const volume = await openToWrite(core, call);
      await volume.move(from, to, { overwrite: body.overwrite, expected: expectedBy(call.conditions) });
      return DONE;
    },
  };
}

function copy(core: Core): Route {
  return {
    method: 'POST',
    path: '/copy',
    name: 'store.copy',
    summary: 'Copy a file or a whole directory, or several, with modes, times and metadata.',
    access: 'store:write',
    body: operationsBody,
    bodyKinds: ['json'],
    creates: true,
    replies: operationsReplies,
    handle: (call) => relocate(call, { verb: 'copy', showPath, open: () => openToWrite(core, call) }),
  };
}

function mkdir(core: Core): Route {
  return {
    method: 'POST',
    path: '/mkdir',
    name: 'store.mkdir',
    summary: 'Make a directory and its missing parents.',
    access: 'store:write',
    body: mkdirBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      200: { description: 'It is there, made now or before.', schema: success },
      400: { description: 'A file is in the way.' },
    },
    handle: async (call) => {
      const dir = parseDirectory((await call.json<z.infer<typeof mkdirBody>>()).path);
      const volume = await openToWrite(core, call);
      await volume.mkdir(dir);
      return DONE;
    },
  };
}

function searchRoute(core: Core): Route {
  return {
    method: 'POST',
    path: '/search',
    name: 'store.search',
    access: 'store:read',
    ...SEARCH,
    handle: async (call) => search(core, await openToRead(core, call), call, showPath),
  };
}

const METADATA_REPLIES: Route['replies'] = {
  200: { description: 'Everything known of the path.', schema: metadataObject },
  404: { description: 'There is no such path.' },
};

function readMetadata(core: Core): Route {
  return {
    method: 'GET',
    path: '/metadata',
    name: 'store.metadata',
    summary: 'What is known of a file or directory: type, size, permissions, tags, custom metadata.',
    access: 'store:read',
    query: metadataQuery,
    replies: METADATA_REPLIES,
    handle: async (call) => {
      const path = parseDirectory(call.query<z.infer<typeof metadataQuery>>().path);
      const volume = await openToRead(core, call);
      return { status: 200, json: await describeEntry(volume, core.attributes, path, showPath(path)) };
    },
  };
}

function patchMetadata(core: Core): Route {
  return {
    method: 'PATCH',
    path: '/metadata',
    name: 'store.setMetadata',
    summary: 'Set permissions, tags, custom metadata or the modification time.',
    access: 'store:write',
    query: metadataQuery,
    body: metadataPatch,
    bodyKinds: ['json'],
    replies: METADATA_REPLIES,
    handle: async (call) => {
      const path = parseDirectory(call.query<z.infer<typeof metadataQuery>>().path);
      const patch = await call.json<MetadataPatch>();
      const volume = await openToWrite(core, call);
      await amendEntry(volume, core.attributes, path, patch);
      return { status: 200, json: await describeEntry(volume, core.attributes, path, showPath(path)) };
    },
  };
}
