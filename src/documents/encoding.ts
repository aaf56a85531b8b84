import { FsError } from '../errors.ts';

const MARKS: readonly (readonly [encoding: string, ...mark: readonly number[]])[] = [
  ['utf-8', 0xef, 0xbb, 0xbf],
  ['utf-16le', 0xff, 0xfe],
  ['utf-16be', 0xfe, 0xff],
];

/** The encoding that the byte order mark in front tells; null where there is no mark. */
export function encodingByMark(bytes: Uint8Array): string | null {
  const found = MARKS.find(([, ...mark]) => mark.every((byte, at) => bytes[at] === byte));
  return found?.[0] ?? null;
}

/**
 * The text, without its byte order mark.
 * @param isWhole false where the bytes may end in the middle of a character, which is left out then
 * @throws unsupported where the bytes are none of the encoding
 */
export function decode(bytes: Uint8Array, encoding: string, isWhole = true): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: !isWhole });
  } catch (error) {
    throw new FsError('unsupported', `the file is not text in ${encoding}`, {}, error);
  }
}
