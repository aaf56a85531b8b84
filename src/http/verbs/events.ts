import { z } from 'zod';
import type { Scope, VolumeRef } from '../../auth/grant.ts';
import type { Change, ChangesPage, Core } from '../../core/core.ts';
import { pathB64, type TreePath } from '../../tree/path.ts';
import type { Call, Route } from '../call.ts';
import { queryLimit } from '../decode.ts';
import { timestamp } from './shapes.ts';

/** How long a client that lost the stream is asked to wait before it comes back. */
const RETRY_MS = 1000;

/** Which volume a dialect's call is about, and how the dialect writes paths. */
export interface FeedOf {
  /** The dialect: `filesystem` gives `filesystem.events`. */
  readonly dialect: string;
  readonly access: Scope;
  /** @throws invalid_request */
  ref(call: Call): VolumeRef;
  showPath(path: TreePath): string;
}

const changeObject = z.object({
  id: z.string().describe('Where to go on after it.').meta({ example: '9f86d081884c-42' }),
  type: z.enum(['created', 'modified', 'deleted', 'moved', 'resync']),
  path: z.string().describe('Of a `resync`: the root.'),
  path_b64: z.string().optional().describe('The bytes of a path that is not UTF-8.'),
  from: z.string().optional().describe('Where a moved entry was before.'),
  from_b64: z.string().optional().describe('The bytes of a `from` that is not UTF-8.'),
  is_dir: z.boolean().describe('A change of a directory stands for everything below it.'),
  size: z.number().int().optional().describe('Bytes of a file that is there.'),
  origin: z.enum(['api', 'disk']).describe('Made through the daemon, or directly on the disk.'),
  at: timestamp,
});

const changesReply = z.object({
  changes: z.array(changeObject),
  next: z.string().describe('The `since` of the next call, or the `Last-Event-ID` of a stream that goes on here.'),
  resync: z.boolean().describe('True: something may have happened that no change tells, so look at everything again.'),
});

const changesQuery = z.object({
  since: z
    .string()
    .min(1)
    .optional()
    .describe('The `next` of the call before. Without it: nothing, and where to begin.'),
  limit: queryLimit(1000, 5000).describe('How many changes a page holds at most; fewer where their paths are long.'),
});

/** `GET …/events`: what happens in a volume, as server-sent events. */
export function eventsRoute(core: Core, of: FeedOf): Route {
  return {
    method: 'GET',
    path: '/events',
    name: `${of.dialect}.events`,
    summary: 'What happens in the tree, as server-sent events; `Last-Event-ID` goes on where a stream ended.',
    access: of.access,
    replies: {
      200: { description: 'An event for each change; its data is the change as JSON.', schema: changeObject },
      400: { description: 'Last-Event-ID is no id of an event.' },
      404: { description: 'There is no such tree.' },
      429: { description: 'Too many listen already.' },
    },
    handle: async (call) => {
      const ref = of.ref(call);
      await core.volumes.open(call.grant, ref, 'read');
      const since = call.header('last-event-id')?.trim() || null;
      return {
        status: 200,
        events: async (until) => encoded(await core.changes.follow(call.grant, ref, since, until), of),
      };
    },
  };
}

/** `GET …/changes`: the same for those who cannot stream. */
export function changesRoute(core: Core, of: FeedOf): Route {
  return {
    method: 'GET',
    path: '/changes',
    name: `${of.dialect}.changes`,
    summary: 'What happened in the tree since an earlier call, for clients that cannot stream.',
    access: of.access,
    query: changesQuery,
    replies: {
      200: { description: 'The changes, in order.', schema: changesReply },
      400: { description: '`since` is no id of a change.' },
      404: { description: 'There is no such tree.' },
    },
    handle: async (call) => {
      const { since, limit } = call.query<z.infer<typeof changesQuery>>();
      const { changes, next, resync } = await core.changes.since(call.grant, of.ref(call), since ?? null, limit);
      return { status: 200, json: { changes: changes.map((change) => encodeChange(change, of)), next, resync } };
    },
  };
}

/** The first page only says where the stream begins: an id without data is remembered, and no event. */
async function* encoded(pages: AsyncIterable<ChangesPage>, of: FeedOf): AsyncGenerator<string> {
  let isFirst = true;
  for await (const { changes, next } of pages) {
    if (isFirst) yield `retry: ${RETRY_MS}\nid: ${next}\n\n`;
    // A comment, so that neither side takes a quiet stream for a dead one.
    else if (changes.length === 0) yield ':\n\n';
    else yield changes.map((change) => encodeEvent(change, of)).join('');
    isFirst = false;
  }
}

function encodeEvent(change: Change, of: FeedOf): string {
  return `id: ${change.id}\ndata: ${JSON.stringify(encodeChange(change, of))}\n\n`;
}

function encodeChange(change: Change, { showPath }: FeedOf): z.infer<typeof changeObject> {
  const bytes = pathB64(change.path);
  const fromBytes = change.from === null ? null : pathB64(change.from);
  return {
    id: change.id,
    type: change.type,
    path: showPath(change.path),
    ...(bytes === null ? {} : { path_b64: bytes }),
    ...(change.from === null ? {} : { from: showPath(change.from) }),
    ...(fromBytes === null ? {} : { from_b64: fromBytes }),
    is_dir: change.isDirectory,
    ...(change.size === null ? {} : { size: change.size }),
    origin: change.origin,
    at: change.at.toISOString(),
  };
}
