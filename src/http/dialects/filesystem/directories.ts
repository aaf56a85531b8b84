import type { Clock } from '../../../clock.ts';
import type { Core, ReadVolume } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import type { Entry } from '../../../tree/entry.ts';
import { relativeTo, type TreePath } from '../../../tree/path.ts';
import type { Route } from '../../call.ts';
import { expectedBy } from '../../verbs/conditions.ts';
import { afterCursor, pathCursor } from '../../verbs/cursor.ts';
import { openToChange, openToRead, openToWrite } from './target.ts';
import {
  deleteReply,
  encodeEntry,
  type ListQuery,
  listQuery,
  listReply,
  MAX_DEPTH,
  mkdirReply,
  showPath,
} from './wire.ts';

// How often a page of a listing without hidden entries reads on before it comes back short, with a cursor to go on from.
const MAX_READS = 10;

export function listRoute(core: Core): Route {
  return {
    method: 'GET',
    path: '/directories{/*path}',
    name: 'filesystem.list',
    summary: 'List a directory, or all below it with `recursive=true`; sorted by name, a directory before its content.',
    access: 'workspace:read',
    query: listQuery,
    replies: {
      200: { description: 'The entries.', schema: listReply },
      400: { description: 'The path is a file.' },
      404: { description: 'There is no such directory or workspace.' },
    },
    handle: async (call) => {
      const dir = call.directory('path');
      const query = call.query<ListQuery>();
      const volume = await openToRead(core, call);
      const { entries, next } = await listPage(volume, dir, query);
      const more = next === null ? {} : { next_cursor: pathCursor(next) };
      return { status: 200, json: { path: showPath(dir), entries: entries.map(encodeEntry), ...more } };
    },
  };
}

async function listPage(volume: ReadVolume, dir: TreePath, query: ListQuery) {
  const depth = query.depth ?? (query.recursive ? MAX_DEPTH : 1);
  let after = afterCursor(query.cursor, dir);
  if (query.include_hidden) return volume.list(dir, { after, limit: query.limit, depth });
  const shown: Entry[] = [];
  for (let reads = 0; reads < MAX_READS; reads++) {
    const { entries, next } = await volume.list(dir, { after, limit: query.limit, depth });
    for (const entry of entries) {
      if (shown.length === query.limit) return { entries: shown, next: after };
      if (!isHidden(relativeTo(entry.path, dir))) shown.push(entry);
      after = entry.path;
    }
    if (next === null) return { entries: shown, next: null };
    after = next;
  }
  return { entries: shown, next: after };
}

function isHidden(path: TreePath): boolean {
  return path.startsWith('.') || path.includes('/.');
}

export function mkdirRoute(core: Core): Route {
  return {
    method: 'POST',
    path: '/directories{/*path}',
    name: 'filesystem.mkdir',
    summary: 'Make a directory and its missing parents.',
    access: 'workspace:write',
    creates: true,
    replies: {
      201: { description: 'Made.', schema: mkdirReply },
      200: { description: 'It was there already.', schema: mkdirReply },
      409: { description: 'A file is in the way.' },
    },
    handle: async (call) => {
      const dir = call.directory('path');
      const volume = await openToWrite(core, call);
      const { entry, created } = await volume.mkdir(dir);
      return {
        status: created ? 201 : 200,
        json: { path: showPath(dir), created_at: entry.createdAt.toISOString() },
      };
    },
  };
}

export function removeDirectoryRoute(core: Core, clock: Clock): Route {
  return {
    method: 'DELETE',
    path: '/directories{/*path}',
    name: 'filesystem.removeDirectory',
    summary: 'Delete a directory with all that is in it. On the root it empties the workspace.',
    access: 'workspace:write',
    replies: {
      200: { description: 'It is gone.', schema: deleteReply },
      400: { description: 'It is a file.' },
      404: { description: 'There is no such directory or workspace.' },
      412: { description: 'If-Match names another version.' },
    },
    handle: async (call) => {
      const dir = call.directory('path');
      const volume = await openToChange(core, call);
      const { kind } = await volume.stat(dir);
      if (kind !== 'directory') {
        throw new FsError('not_directory', `${showPath(dir)} is no directory; delete it with DELETE files`, {
          path: dir,
        });
      }
      await volume.remove(dir, { recursive: true, expected: expectedBy(call.conditions) });
      return { status: 200, json: { path: showPath(dir), deleted_at: clock().toISOString() } };
    },
  };
}
