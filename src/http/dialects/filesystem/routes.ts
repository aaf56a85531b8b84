import type { Clock } from '../../../clock.ts';
import type { Core } from '../../../core/core.ts';
import type { Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import { archiveRoutes } from '../../verbs/archives.ts';
import { changesRoute, eventsRoute, type FeedOf } from '../../verbs/events.ts';
import { amendEntry, describeEntry, type MetadataPatch, metadataObject, metadataPatch } from '../../verbs/metadata.ts';
import { SEARCH, search } from '../../verbs/search.ts';
import { batchRoute } from './batch.ts';
import { listRoute, mkdirRoute, removeDirectoryRoute } from './directories.ts';
import { editRoute } from './edit.ts';
import { fetchRoute } from './fetch.ts';
import { operationRoute } from './operations.ts';
import { patchRoute } from './patch.ts';
import { readRoute } from './read.ts';
import { statusesOf } from './statuses.ts';
import { openToChange, openToRead, workspaceOf } from './target.ts';
import { showPath } from './wire.ts';
import { createRoute, deleteRoute, updateRoute } from './write.ts';

export interface FilesystemOptions {
  /** The most that a JSON answer carries of a file. */
  readonly jsonMaxBytes: number;
  readonly maxFileBytes: number;
  /** The largest file that PATCH and edit take or make. */
  readonly editMaxBytes: number;
  readonly clock: Clock;
}

/** One workspace per agent, addressed by path. */
export function filesystemDialect(options: FilesystemOptions): Dialect {
  return {
    name: 'filesystem',
    mounts: ['/agent/:agentId/filesystem', '/v1/agent/:agentId/filesystem'],
    routes: (core) => [
      readRoute(core, options.jsonMaxBytes),
      createRoute(core, options.maxFileBytes),
      updateRoute(core, options.maxFileBytes),
      patchRoute(core, options.editMaxBytes),
      editRoute(core, options.editMaxBytes),
      deleteRoute(core, options.clock),
      listRoute(core),
      mkdirRoute(core),
      removeDirectoryRoute(core, options.clock),
      operationRoute(core, 'copy'),
      operationRoute(core, 'move'),
      batchRoute(core, options.maxFileBytes),
      fetchRoute(core, options.maxFileBytes),
      searchRoute(core),
      ...archives(core, options.maxFileBytes),
      readMetadata(core),
      patchMetadata(core),
      eventsRoute(core, FEED),
      changesRoute(core, FEED),
    ],
    statuses: statusesOf,
  };
}

function archives(core: Core, maxFileBytes: number): readonly Route[] {
  return archiveRoutes({
    dialect: 'filesystem',
    scopes: { read: 'workspace:read', write: 'workspace:write' },
    openToRead: (call) => openToRead(core, call),
    openToChange: (call) => openToChange(core, call),
    showPath,
    maxFileBytes,
  });
}

const FEED: FeedOf = { dialect: 'filesystem', access: 'workspace:read', ref: workspaceOf, showPath };

const METADATA_REPLIES: Route['replies'] = {
  200: { description: 'Everything known of the path.', schema: metadataObject },
  404: { description: 'There is no such path or workspace.' },
};

function searchRoute(core: Core): Route {
  return {
    method: 'POST',
    path: '/operations/search',
    name: 'filesystem.search',
    access: 'workspace:read',
    ...SEARCH,
    handle: async (call) => search(core, await openToRead(core, call), call, showPath),
  };
}

function readMetadata(core: Core): Route {
  return {
    method: 'GET',
    path: '/metadata{/*path}',
    name: 'filesystem.metadata',
    summary: 'What is known of a file or directory: type, size, permissions, tags, custom metadata.',
    access: 'workspace:read',
    replies: METADATA_REPLIES,
    handle: async (call) => {
      const path = call.directory('path');
      const volume = await openToRead(core, call);
      return { status: 200, json: await describeEntry(volume, core.attributes, path, showPath(path)) };
    },
  };
}

function patchMetadata(core: Core): Route {
  return {
    method: 'PATCH',
    path: '/metadata{/*path}',
    name: 'filesystem.setMetadata',
    summary: 'Set permissions, tags, custom metadata or the modification time.',
    access: 'workspace:write',
    body: metadataPatch,
    bodyKinds: ['json'],
    replies: METADATA_REPLIES,
    handle: async (call) => {
      const path = call.directory('path');
      const patch = await call.json<MetadataPatch>();
      const volume = await openToChange(core, call);
      await amendEntry(volume, core.attributes, path, patch);
      return { status: 200, json: await describeEntry(volume, core.attributes, path, showPath(path)) };
    },
  };
}
