import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { type Entry, getFileNameLowLevel } from 'yauzl';
import type { ArchiveEntry } from './format.ts';

const UNICODE_PATH = 0x7075;
const UTF8_NAMES = 0x0800;
const UNIX = [3, 19] as const;
const DOS_DIRECTORY = 0x10;
const TYPE_MASK = 0o170000;
const TYPES: ReadonlyMap<number, ArchiveEntry['kind']> = new Map([
  [0, 'file'],
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
]);

/** The name as bytes of UTF-8 where the archive tells which letters it means, else as it stands. */
export function nameOf(entry: Entry): Buffer {
  const raw = entry.fileNameRaw;
  const named = unicodePath(entry) ?? raw;
  if (named !== raw || entry.generalPurposeBitFlag & UTF8_NAMES || isUnix(entry) || isUtf8(raw)) return named;
  // What nothing is said of, and DOS made, is in code page 437.
  return Buffer.from(getFileNameLowLevel(0, raw, [], true));
}

export function kindOf(entry: Entry): ArchiveEntry['kind'] {
  if (entry.fileNameRaw.at(-1) === 0x2f) return 'directory';
  if (isUnix(entry)) return TYPES.get((entry.externalFileAttributes >>> 16) & TYPE_MASK) ?? 'other';
  return entry.externalFileAttributes & DOS_DIRECTORY ? 'directory' : 'file';
}

/** Permission bits; null where the archive was made by a system that has none. */
export function modeOf(entry: Entry): number | null {
  const mode = isUnix(entry) ? (entry.externalFileAttributes >>> 16) & 0o777 : 0;
  return mode === 0 ? null : mode;
}

/** The time in an extra field, which has a zone; else that of DOS, taken as the daemon's own. */
export function modifiedAtOf(entry: Entry): Date | null {
  const date = entry.getLastModDate();
  return Number.isNaN(date.getTime()) ? null : date;
}

function isUnix(entry: Entry): boolean {
  return UNIX.some((system) => system === entry.versionMadeBy >>> 8);
}

/** Info-ZIP's field for a name in UTF-8. It carries a checksum of the plain one: a tool may have changed only that. */
function unicodePath(entry: Entry): Buffer | null {
  const data = entry.extraFields.find(({ id }) => id === UNICODE_PATH)?.data;
  if (data === undefined || data.length < 6 || data[0] !== 1) return null;
  return data.readUInt32LE(1) === crc32(entry.fileNameRaw) ? data.subarray(5) : null;
}
