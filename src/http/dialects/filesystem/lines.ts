import { FsError } from '../../../errors.ts';
import type { OpenFile } from '../../../tree/tree.ts';

const NEWLINE = 0x0a;

/** Some lines of a file, and where they stand in it. A line ends with its newline; the last one may have none. */
export interface Lines {
  /** The bytes of the lines, newlines included. */
  readonly content: Buffer;
  readonly total: number;
  readonly start: number;
  /** `start - 1` where the file has no such line. */
  readonly end: number;
  /** True when the file as a whole is valid UTF-8. */
  readonly isText: boolean;
}

/**
 * Reads lines `offset` … `offset + limit - 1`, counted from 1, of a stream it reads to its end. Holds only the lines asked for.
 * @throws too_large when they come to more than `maxBytes`
 */
export async function readLines(
  source: AsyncIterable<Buffer>,
  wanted: { readonly offset: number; readonly limit: number },
  maxBytes: number,
): Promise<Lines> {
  const last = wanted.offset + wanted.limit - 1;
  const kept: Buffer[] = [];
  const text = textCheck();
  let keptBytes = 0;
  let line = 1;
  let lineIsEmpty = true;
  for await (const chunk of source) {
    text.see(chunk);
    const scan = scanChunk(chunk, line, wanted.offset, last);
    line = scan.line;
    lineIsEmpty = chunk.at(-1) === NEWLINE;
    keptBytes += scan.kept.length;
    if (keptBytes > maxBytes) throw tooLong(maxBytes);
    if (scan.kept.length > 0) kept.push(scan.kept);
  }
  const total = lineIsEmpty ? line - 1 : line;
  const end = Math.max(wanted.offset - 1, Math.min(total, last));
  return { content: Buffer.concat(kept), total, start: wanted.offset, end, isText: text.isText() };
}

const TAIL_SLICE_BYTES = 64 * 1024;

/**
 * The last `count` lines of a file, read backwards from its end as far as they reach.
 * @throws too_large when they come to more than `maxBytes`
 */
export async function lastLines(
  file: Pick<OpenFile, 'entry' | 'slice'>,
  count: number,
  maxBytes: number,
): Promise<Buffer> {
  const slices: Buffer[] = [];
  let start = file.entry.size;
  let keptBytes = 0;
  for (let missing = count; missing > 0 && start > 0; ) {
    const length = Math.min(TAIL_SLICE_BYTES, start);
    start -= length;
    const slice = await file.slice(start, length);
    // The newline at the very end ends the last line; it begins no other.
    const scan = scanBackwards(slice, slices.length === 0 ? length - 2 : length - 1, missing);
    missing = scan.missing;
    keptBytes += scan.kept.length;
    if (keptBytes > maxBytes) throw tooLong(maxBytes);
    slices.unshift(scan.kept);
  }
  return Buffer.concat(slices);
}

/** What of a slice follows the newline before its last `missing` lines, looking from byte `last` on backwards. */
function scanBackwards(slice: Buffer, last: number, missing: number): { kept: Buffer; missing: number } {
  let left = missing;
  // A negative offset would count from the end.
  for (let at = last; at >= 0; at -= 1) {
    at = slice.lastIndexOf(NEWLINE, at);
    if (at < 0) break;
    left -= 1;
    if (left === 0) return { kept: slice.subarray(at + 1), missing: 0 };
  }
  return { kept: slice, missing: left };
}

/** The part of a chunk that lies in lines `first` … `last`, when the chunk begins in line `line`; and the line it ends in. */
function scanChunk(chunk: Buffer, line: number, first: number, last: number): { kept: Buffer; line: number } {
  let from = line >= first ? 0 : chunk.length;
  let to = line > last ? 0 : chunk.length;
  let current = line;
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) {
    current += 1;
    if (current === first) from = at + 1;
    if (current === last + 1) to = at + 1;
  }
  return { kept: chunk.subarray(from, Math.max(from, to)), line: current };
}

/** Tells of a stream of chunks whether all of it is UTF-8; a character may lie across two chunks. */
function textCheck(): { see(chunk: Buffer): void; isText(): boolean } {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let valid = true;
  const decode = (chunk: Buffer, more: boolean) => {
    try {
      decoder.decode(chunk, { stream: more });
    } catch {
      valid = false;
    }
  };
  return {
    see: (chunk) => {
      if (valid) decode(chunk, true);
    },
    isText: () => {
      if (valid) decode(Buffer.alloc(0), false);
      return valid;
    },
  };
}

function tooLong(maxBytes: number): FsError {
  return new FsError(
    'too_large',
    `these lines are more than the ${maxBytes} bytes that JSON carries; ask for fewer with limit, or for the bytes with raw=true`,
    { limit: maxBytes },
  );
}
