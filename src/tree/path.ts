import { FsError } from '../errors.ts';

/**
 * A parsed path inside a tree: relative, slash-separated, no empty, `.` or `..` elements; `''` is the root.
 *
 * File names on disk are bytes; a TreePath is a string that keeps every byte: bytes that are not UTF-8 are held as the
 * lone surrogates U+DC80…U+DCFF (Python's "surrogateescape"). No request text can contain those, so a name that is not
 * UTF-8 can only come from the disk or from `pathFromBytes`, and two different names never share a TreePath.
 */
export type TreePath = string & { readonly __treePath: true };

export const ROOT = '' as TreePath;

const MAX_SEGMENT_BYTES = 255;
const MAX_PATH_BYTES = 4096;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is looked for
const CONTROL_OR_BACKSLASH = /[\u0000-\u001f\u007f\\]/;
const ESCAPE_BASE = 0xdc00;

/**
 * Parses the text of a path. A leading `/` means the same root; one trailing `/` is accepted only by `parseDirectory`.
 * @throws invalid_path for NUL, `.`, `..` and empty elements, an element over 255 bytes, a path over 4096
 */
export function parsePath(text: string): TreePath {
  const relative = text.replace(/^\/+/, '');
  if (relative === '') return ROOT;
  demandShort(relative);
  if (!relative.isWellFormed()) throw new FsError('invalid_path', 'the path is not valid Unicode text');
  return checked(relative);
}

/** As `parsePath`, but a trailing slash is fine, as people write directories. @throws invalid_path */
export function parseDirectory(text: string): TreePath {
  let end = text.length;
  // Not /\/+$/: that takes the square of the slashes in the middle.
  while (text[end - 1] === '/') end -= 1;
  return parsePath(text.slice(0, end));
}

/** Parses raw bytes (the decoded `path_b64`), which need not be UTF-8. @throws invalid_path */
export function pathFromBytes(bytes: Uint8Array): TreePath {
  const relative = decodeName(Buffer.from(bytes)).replace(/^\/+/, '');
  if (relative === '') return ROOT;
  demandShort(relative);
  return checked(relative);
}

/** Before anything else: a refusal repeats the path, and a request may carry one of many megabytes. */
function demandShort(relative: string): void {
  if (relative.length > MAX_PATH_BYTES) throw tooLong();
}

function tooLong(): FsError {
  return new FsError('invalid_path', `the path is longer than ${MAX_PATH_BYTES} bytes`);
}

function checked(relative: string): TreePath {
  if (relative.includes('\0')) throw new FsError('invalid_path', 'a path may not contain a NUL character');
  for (const segment of relative.split('/')) {
    if (segment === '') {
      throw new FsError(
        'invalid_path',
        `the path "${display(relative)}" has an empty element ("//" or a "/" at its end)`,
      );
    }
    if (segment === '.' || segment === '..') {
      throw new FsError(
        'invalid_path',
        `the path "${display(relative)}" has a "${segment}" element; write it out in full`,
      );
    }
    if (encodePath(segment).length > MAX_SEGMENT_BYTES) {
      throw new FsError('invalid_path', `a name in the path is longer than ${MAX_SEGMENT_BYTES} bytes`);
    }
  }
  if (encodePath(relative).length > MAX_PATH_BYTES) throw tooLong();
  return relative as TreePath;
}

/** The further demands on a name that is about to be made. @throws invalid_path for the root, control characters, backslash */
export function demandCreatable(path: TreePath): void {
  if (path === ROOT)
    throw new FsError('is_directory', 'the root itself cannot be created or replaced; name a file in it');
  if (CONTROL_OR_BACKSLASH.test(path)) {
    throw new FsError('invalid_path', 'a new name may not contain control characters or a backslash');
  }
}

export function child(dir: TreePath, name: string): TreePath {
  return (dir === ROOT ? name : `${dir}/${name}`) as TreePath;
}

export function join(dir: TreePath, path: TreePath): TreePath {
  return path === ROOT ? dir : child(dir, path);
}

export function parentOf(path: TreePath): TreePath {
  const slash = path.lastIndexOf('/');
  return (slash < 0 ? '' : path.slice(0, slash)) as TreePath;
}

export function nameOf(path: TreePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function segmentsOf(path: TreePath): readonly string[] {
  return path === ROOT ? [] : path.split('/');
}

/** True for the directory itself and everything below it. */
export function isWithin(path: TreePath, dir: TreePath): boolean {
  return dir === ROOT || path === dir || path.startsWith(`${dir}/`);
}

/** The path of `path` as seen from `dir`, which it must be within. */
export function relativeTo(path: TreePath, dir: TreePath): TreePath {
  return (dir === ROOT ? path : path.slice(dir.length + 1)) as TreePath;
}

/** The bytes of a path as the disk has them. */
export function encodePath(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path);
  const parts: Buffer[] = [];
  for (const character of path) {
    const code = character.codePointAt(0) ?? 0;
    const isEscape = code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff;
    parts.push(isEscape ? Buffer.of(code - ESCAPE_BASE) : Buffer.from(character));
  }
  return Buffer.concat(parts);
}

/** A name read from the disk as text that loses nothing; the inverse of `encodePath`. */
export function decodeName(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd') || Buffer.from(text).equals(bytes)) return text;
  return decodeLossless(bytes);
}

function decodeLossless(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    text +=
      length === 0 ? String.fromCharCode(ESCAPE_BASE + (bytes[at] ?? 0)) : bytes.toString('utf8', at, at + length);
    at += Math.max(1, length);
  }
  return text;
}

/** Bytes of the valid UTF-8 sequence at `at`, or 0 where there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0;
  const length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
  const sequence = bytes.subarray(at, at + length);
  if (length === 0 || sequence.length < length) return 0;
  return Buffer.from(sequence.toString('utf8')).equals(sequence) ? length : 0;
}

/** What people and JSON see: bytes that are not UTF-8 become U+FFFD. */
export function display(path: string): string {
  return path.toWellFormed();
}

/** The `path_b64` of a path that `display` cannot show without loss, else null. */
export function pathB64(path: string): string | null {
  return path.isWellFormed() ? null : encodePath(path).toString('base64');
}
