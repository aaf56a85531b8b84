import { createHash } from 'node:crypto';

/**
 * Tree paths as database text. A file name is any bytes, held in a tree path with the lone surrogates U+DC80…U+DCFF for what
 * is not UTF-8; a database takes only well-formed text. So each element that is not well formed, or begins with the mark
 * itself, is written as the mark and its bytes in base64url. Elements stay apart, so prefixes work on keys as on paths.
 */

const MARK = '\u0001';
const ESCAPE_BASE = 0xdc00;
/** No name has 64 characters of four bytes each: a name has at most 255 bytes. */
const AFTER_EVERY_KEY = '\u{10ffff}'.repeat(64);

/** The text a path is stored under. Different paths have different keys. */
export function pathKey(path: string): string {
  if (path.isWellFormed() && !path.includes(MARK)) return path;
  return path.split('/').map(keyOf).join('/');
}

/**
 * What stands for a path in an index: 43 characters, whatever its length. Paths may be longer than an index of PostgreSQL
 * holds, so a table of paths has this in its key, and the path beside it.
 */
export function pathHash(path: string): string {
  return keyHash(pathKey(path));
}

/** `pathHash` of the path that has this key. */
export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}

/** The path that was stored under this text. */
export function fromPathKey(key: string): string {
  if (!key.includes(MARK)) return key;
  return key.split('/').map(nameOf).join('/');
}

/** The keys strictly below a directory's key: from the first, included, to the second, excluded. */
export function belowRange(key: string): readonly [from: string, to: string] {
  // "0" follows "/" in every encoding.
  return key === '' ? [MARK, AFTER_EVERY_KEY] : [`${key}/`, `${key}0`];
}

function keyOf(name: string): string {
  return name.isWellFormed() && !name.startsWith(MARK) ? name : MARK + encode(name).toString('base64url');
}

function nameOf(element: string): string {
  return element.startsWith(MARK) ? decode(Buffer.from(element.slice(MARK.length), 'base64url')) : element;
}

function encode(name: string): Buffer {
  const parts = Array.from(name, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const isByte = code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff;
    return isByte ? Buffer.of(code - ESCAPE_BASE) : Buffer.from(character);
  });
  return Buffer.concat(parts);
}

function decode(bytes: Buffer): string {
  let name = '';
  for (let at = 0; at < bytes.length; ) {
    const character = characterAt(bytes, at);
    name += character === '' ? String.fromCharCode(ESCAPE_BASE + (bytes[at] ?? 0)) : character;
    at += character === '' ? 1 : Buffer.byteLength(character);
  }
  return name;
}

/** The UTF-8 character that begins at `at`, or '' where there is none. */
function characterAt(bytes: Buffer, at: number): string {
  const lead = bytes[at] ?? 0;
  const length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const sequence = bytes.subarray(at, at + length);
  const character = sequence.toString('utf8');
  return Buffer.from(character).equals(sequence) ? character : '';
}
