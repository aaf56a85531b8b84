import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Core, Volume } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { parseDirectory, parsePath, ROOT, type TreePath } from '../../../tree/path.ts';
import type { Call, Route } from '../../call.ts';
import { decodeContent, pathFromBase64 } from '../../verbs/content.ts';
import { demandUnconditional, encodeItemError, itemError, MAX_OPERATIONS, oneByOne } from '../../verbs/one-by-one.ts';
import { operation as pair, pathsOf } from '../../verbs/relocation.ts';
import { statusOf } from './statuses.ts';
import { demandMayWrite, openToChange, openToWrite } from './target.ts';
import { createBody, showPath } from './wire.ts';

const path = z.string().meta({ example: '/data/sales.csv' });

const operation = z.discriminatedUnion('op', [
  createBody.extend({ op: z.literal('write').describe('As POST files with JSON.'), path }),
  z.object({ op: z.literal('mkdir').describe('As POST directories.'), path }),
  pair.extend({ op: z.literal('copy').describe('As POST operations/copy.') }),
  pair.extend({ op: z.literal('move').describe('As POST operations/move.') }),
  z.object({
    op: z.literal('delete').describe('As DELETE files; with `recursive` as DELETE directories.'),
    path: path.optional(),
    path_b64: z.string().optional().describe('Base64 of a path that is not UTF-8, instead of `path`.'),
    recursive: z.boolean().default(false).describe('Delete a directory with all that is in it.'),
  }),
]);
type Operation = z.infer<typeof operation>;

const batchBody = z.object({
  operations: z.array(operation).min(1).max(MAX_OPERATIONS).describe('Done one by one, in order.'),
});

const batchReply = z.object({
  results: z.array(
    z.object({
      op: z.enum(['write', 'mkdir', 'copy', 'move', 'delete']),
      path: path.describe('Of copy and move the destination.'),
      status: z.number().int().describe('What the call of its own would have answered.'),
      error: itemError.optional(),
    }),
  ),
});
type Result = z.infer<typeof batchReply>['results'][number];

/** `POST operations/batch` */
export function batchRoute(core: Core, maxFileBytes: number): Route {
  return {
    method: 'POST',
    path: '/operations/batch',
    name: 'filesystem.batch',
    summary: 'Write, make, copy, move and delete in one call: one by one, in order, each with its own status.',
    access: 'workspace:write',
    body: batchBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      200: { description: 'What became of each; some may have failed, and the others were done.', schema: batchReply },
      400: { description: 'The body is not as documented; nothing was done.' },
      413: { description: 'The body is larger than allowed; nothing was done.' },
    },
    handle: async (call) => {
      const { operations } = await call.json<z.infer<typeof batchBody>>();
      demandUnconditional(call);
      demandMayWrite(call);
      const results = await oneByOne(call, operations, {
        attempt: (item) => perform(core, call, item, maxFileBytes),
        refused: (item, error): Result => ({
          op: item.op,
          path: pathAsNamed(item),
          status: statusOf(routeOf(item), error.code),
          error: encodeItemError(error),
        }),
      });
      return { status: 200, json: { results } };
    },
  };
}

/** The route of the call that does the same alone. */
function routeOf(item: Operation): string {
  if (item.op === 'write') return 'filesystem.create';
  if (item.op === 'delete') return item.recursive ? 'filesystem.removeDirectory' : 'filesystem.delete';
  return `filesystem.${item.op}`;
}

/** What a result calls the item's path: parsed where it is one, else as the client wrote it. */
function pathAsNamed(item: Operation): string {
  try {
    return showPath(pathOf(item));
  } catch {
    const text = item.op === 'copy' || item.op === 'move' ? item.destination : item.path;
    return text ?? '';
  }
}

/** The path that an item is about. @throws invalid_path, invalid_request */
function pathOf(item: Operation): TreePath {
  if (item.op === 'write') return parsePath(item.path);
  if (item.op === 'mkdir') return parseDirectory(item.path);
  if (item.op !== 'delete') return pathsOf(item).to;
  if ((item.path === undefined) === (item.path_b64 === undefined)) {
    throw new FsError('invalid_request', 'a delete has either a path or a path_b64');
  }
  if (item.path_b64 !== undefined) return pathFromBase64(item.path_b64, 'path_b64');
  return (item.recursive ? parseDirectory : parsePath)(item.path ?? '');
}

/** Paths and content are decoded before the workspace is opened: a mistake in them does not make it. */
async function perform(core: Core, call: Call, item: Operation, maxFileBytes: number): Promise<Result> {
  const target = pathOf(item);
  const result = { op: item.op, path: showPath(target) };
  switch (item.op) {
    case 'write': {
      const bytes = decodeContent(item.content, item.encoding);
      await write(await openToWrite(core, call), target, bytes, item, maxFileBytes);
      call.tally.brought(1);
      return { ...result, status: 201 };
    }
    case 'mkdir': {
      const { created } = await (await openToWrite(core, call)).mkdir(target);
      return { ...result, status: created ? 201 : 200 };
    }
    case 'delete':
      await remove(await openToChange(core, call), target, item.recursive);
      return { ...result, status: 200 };
    default: {
      const volume = await openToChange(core, call);
      await volume[item.op](pathsOf(item).from, target, { overwrite: item.overwrite });
      return { ...result, status: 200 };
    }
  }
}

type Write = Extract<Operation, { readonly op: 'write' }>;

async function write(volume: Volume, target: TreePath, bytes: Buffer, item: Write, maxBytes: number): Promise<void> {
  await volume.write(target, Readable.from([bytes]), {
    mode: item.overwrite ? 'upsert' : 'create',
    maxBytes,
    declaredBytes: bytes.length,
    ...(item.permissions === undefined ? {} : { permissions: item.permissions }),
  });
}

async function remove(volume: Volume, target: TreePath, recursive: boolean): Promise<void> {
  if (target === ROOT && !recursive) {
    throw new FsError('is_directory', 'the root is a directory; empty it with recursive');
  }
  await volume.remove(target, { recursive });
}
