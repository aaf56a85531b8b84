import { setImmediate as breathe } from 'node:timers/promises';

/** Bytes that are looked at between two turns of the event loop: a millisecond or two. */
const STEP_BYTES = 256 * 1024;

export interface Occurrences {
  readonly count: number;
  /** Where they begin, in order; the first ones where there are more than were to be kept. */
  readonly positions: readonly number[];
}

export interface OccurrenceOptions {
  /** The byte to begin at. */
  readonly from: number;
  /** Whether one may begin inside another: "aa" is twice in "aaa", or once. */
  readonly overlapping: boolean;
  /** The most positions that are kept. */
  readonly keep: number;
  readonly signal: AbortSignal;
}

/**
 * Finds some bytes in others, in time linear in both whatever they are (Knuth, Morris, Pratt), and in steps that leave the
 * event loop to others. `Buffer.indexOf` is faster on most texts, and takes seconds on some that a hostile client can send.
 * @throws what the signal was aborted with
 */
export async function findOccurrences(text: Buffer, wanted: Buffer, options: OccurrenceOptions): Promise<Occurrences> {
  const borders = bordersOf(wanted);
  const positions: number[] = [];
  let count = 0;
  let matched = 0;
  const step = (start: number, end: number) => {
    for (let at = start; at < end; at += 1) {
      while (matched > 0 && text[at] !== wanted[matched]) matched = borders[matched - 1] ?? 0;
      if (text[at] === wanted[matched]) matched += 1;
      if (matched < wanted.length) continue;
      count += 1;
      if (positions.length < options.keep) positions.push(at + 1 - wanted.length);
      matched = options.overlapping ? (borders[matched - 1] ?? 0) : 0;
    }
  };
  for (let start = options.from; start < text.length; start += STEP_BYTES) {
    if (start > options.from) await breathe();
    options.signal.throwIfAborted();
    step(start, Math.min(text.length, start + STEP_BYTES));
  }
  return { count, positions };
}

/** For each length of a beginning of `wanted`: how long the longest shorter beginning is that it ends with. */
function bordersOf(wanted: Buffer): Int32Array {
  const borders = new Int32Array(wanted.length);
  for (let at = 1, length = 0; at < wanted.length; at += 1) {
    while (length > 0 && wanted[at] !== wanted[length]) length = borders[length - 1] ?? 0;
    if (wanted[at] === wanted[length]) length += 1;
    borders[at] = length;
  }
  return borders;
}
