import { FsError } from '../errors.ts';
import type { ArchiveFormat } from './format.ts';
import { TAR, TAR_GZ, TAR_ZST } from './tar.ts';
import { ZIP } from './zip.ts';

/** Every format there is. In this order they are asked whether they recognise an archive. */
export const ARCHIVE_FORMATS: readonly ArchiveFormat[] = [ZIP, TAR_GZ, TAR_ZST, TAR];

/** As many first bytes of a file as recognising it takes. */
export const HEAD_BYTES = 512;

/** Formats that people have and nothing here reads or writes: their first bytes, and what names of such files end in. */
const STRANGERS: readonly (readonly [name: string, magic: Buffer, ...endings: readonly string[]])[] = [
  ['bzip2', Buffer.from('BZh'), '.bz2', '.tbz', '.tbz2'],
  ['xz', Buffer.from('\xfd7zXZ\0', 'latin1'), '.xz', '.txz'],
  ['7-Zip', Buffer.from("7z\xbc\xaf'\x1c", 'latin1'), '.7z'],
  ['RAR', Buffer.from('Rar!\x1a\x07'), '.rar'],
  ['lz4', Buffer.of(0x04, 0x22, 0x4d, 0x18), '.lz4'],
  ['lzip', Buffer.from('LZIP'), '.lz'],
];

/** The format called so on the wire. @throws invalid_request, naming those there are */
export function formatNamed(name: string): ArchiveFormat {
  const format = ARCHIVE_FORMATS.find((each) => each.name === name);
  if (format === undefined) {
    throw new FsError('invalid_request', `"${name.toWellFormed()}" is not a format of archives; use ${names()}`);
  }
  return format;
}

/**
 * The format that a file's name ends like, in any case of letters; null where it tells of none.
 * @throws invalid_request where it tells of one that is not written here
 */
export function formatOfFile(name: string): ArchiveFormat | null {
  const lower = name.toLowerCase();
  const isLike = (endings: readonly string[]) => endings.some((end) => lower.endsWith(end));
  const [stranger] = STRANGERS.find(([, , ...endings]) => isLike(endings)) ?? [];
  if (stranger !== undefined) {
    throw new FsError('invalid_request', `${stranger} archives are not made; name the file for one of ${names()}`);
  }
  return ARCHIVE_FORMATS.find(({ extensions }) => isLike(extensions)) ?? null;
}

/**
 * The format a file is in by its first `HEAD_BYTES` (or all bytes of a shorter one), whatever its name says.
 * @throws invalid_request for anything else
 */
export function recogniseFormat(head: Buffer): ArchiveFormat {
  const format = ARCHIVE_FORMATS.find((each) => each.recognises(head));
  if (format !== undefined) return format;
  const [known] = STRANGERS.find(([, magic]) => head.subarray(0, magic.length).equals(magic)) ?? [];
  if (known === undefined) throw new FsError('invalid_request', `the file is not an archive; ${names()} are read`);
  throw new FsError('invalid_request', `${known} archives are not read; ${names()} are`);
}

function names(): string {
  return ARCHIVE_FORMATS.map(({ name }) => name).join(', ');
}
