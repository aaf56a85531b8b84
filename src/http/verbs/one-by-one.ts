import { z } from 'zod';
import { FsError, toFsError } from '../../errors.ts';
import { display } from '../../tree/path.ts';
import type { Call } from '../call.ts';
import { expectedBy } from './conditions.ts';

/** Several operations in one call, done in their order, each answered for itself. */

/** The most operations that one call takes. */
export const MAX_OPERATIONS = 1000;

/** Why one of several was refused, in the codes of every other answer. */
export const itemError = z.object({ code: z.string(), message: z.string() });

/** What the other items can be told by: how one is done, and what is said of it when it was refused. */
interface Doing<T, R> {
  readonly attempt: (item: T) => Promise<R>;
  readonly refused: (item: T, error: FsError) => R;
}

/**
 * Does each item once those before it are done, whether or not they were refused, until the client goes away.
 * @throws internal, and does no more: that is not the item's fault, and the log is to have it
 */
export async function oneByOne<T, R>(call: Call, items: readonly T[], doing: Doing<T, R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (const item of items) {
    call.signal.throwIfAborted();
    results.push(await attempted(item, doing));
  }
  return results;
}

async function attempted<T, R>(item: T, { attempt, refused }: Doing<T, R>): Promise<R> {
  try {
    return await attempt(item);
  } catch (thrown) {
    const error = toFsError(thrown);
    if (error.code === 'internal') throw thrown;
    return refused(item, error);
  }
}

/** The refusal as a result shows it. */
export function encodeItemError({ code, message }: FsError): z.infer<typeof itemError> {
  return { code, message: display(message) };
}

/** @throws invalid_request where headers set a condition, which is about one path */
export function demandUnconditional(call: Call): void {
  if (expectedBy(call.conditions) === null) return;
  throw new FsError(
    'invalid_request',
    'If-Match and If-None-Match are about one path; send what depends on them in a call of its own, not among several',
  );
}
