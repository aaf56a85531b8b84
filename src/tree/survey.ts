import { closeSync, constants, type Dirent, fstatSync, lstatSync, opendirSync, openSync, readSync } from 'node:fs';
import { FsError } from '../errors.ts';
import { SKIPPED } from './descent.ts';
import type { Directory } from './directory.ts';
import { diskError, hasCode } from './disk-error.ts';
import { chooseEngine, openDirectorySync } from './engine.ts';
import type { Kind } from './entry.ts';
import { decodeLatin1 } from './names.ts';
import { encodePath, ROOT, type TreePath } from './path.ts';
import { kindOf } from './stats.ts';

/**
 * A tree for a thread of its own that reads a lot and may wait for the disk: nothing here is asynchronous, and nothing
 * changes anything. Held by the same rule as every verb: a directory is opened whole and counts only if it lies where its path
 * says; what is in it is reached by the handle, and no link is followed.
 */
export interface Survey {
  /** Holds the directory; null where it is gone, became something else, or may not be read. @throws invalid_path (too deep for one path) */
  hold(dir: TreePath): SurveyedDirectory | null;
}

export interface SurveyedName {
  readonly name: string;
  readonly kind: Kind;
}

export interface SurveyedDirectory {
  /** In no order and with little memory; what appears or vanishes meanwhile may or may not be among them. */
  names(): Generator<SurveyedName>;
  /** Bytes of the file or link of this name (0 for others); null where it is gone. */
  sizeOf(name: string): number | null;
  /** Opens a regular file; null where it is gone, is none, or may not be read. Never waits for a pipe. */
  open(name: string): SurveyedFile | null;
  /** To be called after everything opened in it is closed. */
  close(): void;
}

export interface SurveyedFile {
  /** At its opening. */
  readonly size: number;
  /** Bytes read into `buffer` from `offset` on, 0 at the end of the file. */
  read(buffer: Buffer, offset: number, length: number, position: number): number;
  close(): void;
}

const NAMES_AT_ONCE = 64;
const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
// A socket or a device without a driver cannot be opened; the others are as for directories.
const NOT_OPENED = [...SKIPPED, 'ENXIO', 'ENODEV'] as const;

/** Surveys the tree of a home. @throws unavailable on a machine without full confinement */
export function openSurvey(hostPath: string): Survey {
  chooseEngine(false);
  return { hold: (dir) => hold(hostPath, dir) };
}

function hold(hostPath: string, dir: TreePath): SurveyedDirectory | null {
  try {
    const held = openDirectorySync(encodePath(dir === ROOT ? hostPath : `${hostPath}/${dir}`));
    return held === null ? null : surveyed(held, dir);
  } catch (error) {
    if (hasCode(error, ...SKIPPED)) return null;
    throw diskError(error, dir);
  }
}

function surveyed(held: Directory, dir: TreePath): SurveyedDirectory {
  return {
    names: () => namesIn(held, dir),
    sizeOf(name) {
      const stats = lstatSync(held.at(name), { throwIfNoEntry: false });
      return stats === undefined ? null : stats.isFile() || stats.isSymbolicLink() ? stats.size : 0;
    },
    open: (name) => openFile(held, name),
    close: () => held.close(),
  };
}

function* namesIn(held: Directory, dir: TreePath): Generator<SurveyedName> {
  let stream: ReturnType<typeof opendirSync>;
  try {
    stream = opendirSync(held.self, { encoding: 'latin1', bufferSize: NAMES_AT_ONCE });
  } catch (error) {
    if (hasCode(error, ...SKIPPED)) return;
    throw diskError(error, dir);
  }
  try {
    for (let found = stream.readSync(); found !== null; found = stream.readSync()) {
      const name = decodeLatin1(found.name);
      const kind = kindAsSaid(found) ?? kindSeen(held, name);
      if (kind !== null) yield { name, kind };
    }
  } finally {
    stream.closeSync();
  }
}

/** Null where the disk does not say it with the name. */
function kindAsSaid(found: Dirent): Kind | null {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'directory';
  if (found.isSymbolicLink()) return 'symlink';
  const isSpecial = found.isFIFO() || found.isSocket() || found.isCharacterDevice() || found.isBlockDevice();
  return isSpecial ? 'other' : null;
}

function kindSeen(held: Directory, name: string): Kind | null {
  const stats = lstatSync(held.at(name), { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? null : kindOf(stats);
}

/** Callers ask for what the directory called a file: only a pipe that took its place since is opened, and closed at once. */
function openFile(held: Directory, name: string): SurveyedFile | null {
  let descriptor: number;
  try {
    descriptor = openSync(held.at(name), READ);
  } catch (error) {
    if (hasCode(error, ...NOT_OPENED)) return null;
    throw diskError(error, name);
  }
  const stats = fstatSync(descriptor);
  if (!stats.isFile()) {
    closeSync(descriptor);
    return null;
  }
  let isOpen = true;
  return {
    size: stats.size,
    read(buffer, offset, length, position) {
      if (!isOpen) throw new FsError('internal', 'a file was read after it was closed');
      try {
        return readSync(descriptor, buffer, offset, length, position);
      } catch (error) {
        throw diskError(error, name);
      }
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      closeSync(descriptor);
    },
  };
}
