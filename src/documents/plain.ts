import { FsError } from '../errors.ts';
import { decode, encodingByMark } from './encoding.ts';
import type { DocumentFormat } from './format.ts';
import type { TextOutput } from './text-output.ts';

/** A character takes at most twice the bytes in UTF-16 that it takes in UTF-8, which is how an output counts. */
const MOST_BYTES_OF_ONE = 2;
/** The longest mark, and what may be missing of a last character. */
const MORE_BYTES = 8;

/** As many first bytes of a plain document as can matter to an output of this size. */
export function headBytes(maxTextBytes: number): number {
  return maxTextBytes * MOST_BYTES_OF_ONE + MORE_BYTES;
}

/** What reads the same with any program: its text is its bytes, in UTF-8 or what a byte order mark says. Others are not guessed. */
export const PLAIN: DocumentFormat = {
  name: 'plain',
  mediaTypes: [
    'text/plain',
    'text/markdown',
    'text/x-markdown',
    'text/csv',
    'text/tab-separated-values',
    'application/json',
  ],
  isPlain: true,
  open: async () => readPlain,
};

/** Takes no more than the first `headBytes`, which may be all that is given. @throws unsupported where they are not text */
export function readPlain(bytes: Uint8Array, output: TextOutput): void {
  const head = bytes.subarray(0, headBytes(output.maxBytes));
  const text = decode(head, encodingByMark(head) ?? 'utf-8', bytes.length < headBytes(output.maxBytes));
  if (text.includes('\0')) throw new FsError('unsupported', 'the file has NUL in it, so it is not text');
  output.write(text);
}
