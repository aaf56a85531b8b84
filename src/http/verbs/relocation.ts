import { z } from 'zod';
import type { Volume } from '../../core/core.ts';
import { FsError } from '../../errors.ts';
import { parseDirectory, type TreePath } from '../../tree/path.ts';
import type { Call, Reply, Route } from '../call.ts';
import { expectedBy } from './conditions.ts';
import { pathFromBase64 } from './content.ts';
import { demandUnconditional, encodeItemError, itemError, MAX_OPERATIONS, oneByOne } from './one-by-one.ts';

/** Copying and moving, in the shapes that both trees share: one pair, or several that are answered one by one. */

const path = z.string().meta({ example: '/data/sales.csv' });

/** One operation: from where to where. */
export const operation = z.object({
  source: z.string().optional().meta({ example: '/data/sales.csv' }),
  source_b64: z.string().optional().describe('Base64 of a source whose path is not UTF-8.'),
  destination: z.string().min(1).meta({ example: '/data/2026/sales.csv' }),
  overwrite: z.boolean().default(false).describe('Replace a file that is at the destination. Never a directory.'),
});
export type Operation = z.infer<typeof operation>;

export const operationsBody = z.union([
  operation,
  z.object({ operations: z.array(operation).min(1).max(MAX_OPERATIONS).describe('Done one by one, in order.') }),
]);

const operationsReply = z.object({
  results: z.array(
    z.object({
      source: path,
      destination: path,
      success: z.boolean(),
      error: itemError.optional(),
    }),
  ),
});

export const operationsReplies: Route['replies'] = {
  200: { description: 'What became of each; of several, some may have failed.', schema: operationsReply },
  400: { description: 'A bad path, or a directory onto or into itself.' },
  404: { description: 'The source of a single pair is missing.' },
  409: { description: 'The destination of a single pair exists; `overwrite` replaces a file.' },
  412: { description: 'The destination of a single pair is not what If-Match or If-None-Match demands.' },
  507: { description: 'The quota is used up.' },
};

type Verb = 'copy' | 'move';
type Result = z.infer<typeof operationsReply>['results'][number];

/** Two places of one tree. */
interface Pair {
  readonly from: TreePath;
  readonly to: TreePath;
}

/** What a call of these shapes needs to know of the tree it is about. */
export interface Relocation {
  readonly verb: Verb;
  /** A path as the dialect writes it. */
  readonly showPath: (path: TreePath) => string;
  /** Opens the tree, once the body has been read. */
  readonly open: () => Promise<Volume>;
}

/** Answers a call whose body is `operationsBody`. A single pair fails as a whole; of several, each for itself. */
export async function relocate(call: Call, relocation: Relocation): Promise<Reply> {
  const body = await call.json<z.infer<typeof operationsBody>>();
  const volume = await relocation.open();
  const expected = expectedBy(call.conditions);
  if ('operations' in body) {
    demandUnconditional(call);
    return reply(await each(call, volume, relocation, body.operations));
  }
  const pair = pathsOf(body);
  await volume[relocation.verb](pair.from, pair.to, { overwrite: body.overwrite, expected });
  return reply([shown(relocation, pair, true)]);
}

/** @throws internal */
function each(
  call: Call,
  volume: Volume,
  relocation: Relocation,
  operations: readonly Operation[],
): Promise<readonly Result[]> {
  return oneByOne(call, operations, {
    attempt: async (operation) => {
      const pair = pathsOf(operation);
      await volume[relocation.verb](pair.from, pair.to, { overwrite: operation.overwrite });
      return shown(relocation, pair, true);
    },
    refused: (operation, error) => ({ ...named(relocation, operation), error: encodeItemError(error) }),
  });
}

/** What was refused, by its paths where it has any, else as it was written. */
function named(relocation: Relocation, operation: Operation): Result {
  try {
    return shown(relocation, pathsOf(operation), false);
  } catch {
    return { source: operation.source ?? '', destination: operation.destination, success: false };
  }
}

/** The two paths an operation names. @throws invalid_request, invalid_path */
export function pathsOf(operation: Omit<Operation, 'overwrite'>): Pair {
  const { source, source_b64: bytes } = operation;
  if ((source === undefined) === (bytes === undefined)) {
    throw new FsError('invalid_request', 'an operation has either a source or a source_b64');
  }
  const from = bytes === undefined ? parseDirectory(source ?? '') : pathFromBase64(bytes, 'source_b64');
  return { from, to: parseDirectory(operation.destination) };
}

function shown({ showPath }: Relocation, { from, to }: Pair, success: boolean): Result {
  return { source: showPath(from), destination: showPath(to), success };
}

function reply(results: readonly Result[]): Reply {
  return { status: 200, json: { results } };
}
