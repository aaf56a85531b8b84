import type { z } from 'zod';
import type { Core, Expected, Volume } from '../../../core/core.ts';
import { FsError, toFsError } from '../../../errors.ts';
import { display, parseDirectory, type TreePath } from '../../../tree/path.ts';
import type { Call, Reply, Route } from '../../call.ts';
import { expectedBy } from '../../verbs/conditions.ts';
import { pathFromBase64 } from '../../verbs/content.ts';
import { openToChange } from './target.ts';
import { type Operation, operationsBody, operationsReply, showPath } from './wire.ts';

type Verb = 'copy' | 'move';
type Result = z.infer<typeof operationsReply>['results'][number];

const SUMMARIES: Readonly<Record<Verb, string>> = {
  copy: 'Copy a file or a whole directory, or several, with modes, times and metadata.',
  move: 'Move or rename a file or directory, or several. Metadata follows.',
};

/** `POST operations/copy` and `POST operations/move`. */
export function operationRoute(core: Core, verb: Verb): Route {
  return {
    method: 'POST',
    path: `/operations/${verb}`,
    name: `filesystem.${verb}`,
    summary: SUMMARIES[verb],
    access: 'workspace:write',
    body: operationsBody,
    bodyKinds: ['json'],
    replies: {
      200: { description: 'What became of each; of several, some may have failed.', schema: operationsReply },
      400: { description: 'A bad path, or a directory onto or into itself.' },
      404: { description: 'The source of a single pair is missing.' },
      409: { description: 'The destination of a single pair exists; `overwrite` replaces a file.' },
      412: { description: 'The destination of a single pair is not what If-Match or If-None-Match demands.' },
      507: { description: 'The quota is used up.' },
    },
    handle: async (call) => {
      const body = await call.json<z.infer<typeof operationsBody>>();
      const volume = await openToChange(core, call);
      const expected = expectedBy(call.conditions);
      if ('operations' in body) {
        demandUnconditional(expected);
        return batch(volume, verb, body.operations, call);
      }
      const pair = pathsOf(body);
      await volume[verb](pair.from, pair.to, { overwrite: body.overwrite, expected });
      return reply([shown(pair, true)]);
    },
  };
}

/** @throws invalid_request */
function demandUnconditional(expected: Expected): void {
  if (expected === null) return;
  throw new FsError(
    'invalid_request',
    'If-Match and If-None-Match are about one destination; send each pair in a call of its own, as source and destination',
  );
}

async function batch(volume: Volume, verb: Verb, operations: readonly Operation[], call: Call): Promise<Reply> {
  const results: Result[] = [];
  for (const operation of operations) {
    call.signal.throwIfAborted();
    results.push(await attempt(volume, verb, operation));
  }
  return reply(results);
}

async function attempt(volume: Volume, verb: Verb, operation: Operation): Promise<Result> {
  const { source = '', destination } = operation;
  let named: Result = { source, destination, success: false };
  try {
    const pair = pathsOf(operation);
    named = shown(pair, false);
    await volume[verb](pair.from, pair.to, { overwrite: operation.overwrite });
    return shown(pair, true);
  } catch (thrown) {
    const { code, message } = toFsError(thrown, named.source);
    if (code === 'internal') throw thrown; // not the pair's fault: the log is to have it
    return { ...named, error: { code, message: display(message) } };
  }
}

interface Pair {
  readonly from: TreePath;
  readonly to: TreePath;
}

function pathsOf(operation: Operation): Pair {
  const { source, source_b64: bytes } = operation;
  if ((source === undefined) === (bytes === undefined)) {
    throw new FsError('invalid_request', 'an operation has either a source or a source_b64');
  }
  const from = bytes === undefined ? parseDirectory(source ?? '') : pathFromBase64(bytes, 'source_b64');
  return { from, to: parseDirectory(operation.destination) };
}

function shown({ from, to }: Pair, success: boolean): Result {
  return { source: showPath(from), destination: showPath(to), success };
}

function reply(results: readonly Result[]): Reply {
  return { status: 200, json: { results } };
}
