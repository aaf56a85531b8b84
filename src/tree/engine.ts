import { readlinkSync, statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import { bestEffortDirectory } from './best-effort.ts';
import { type Directory, type HostPath, holdDirectory, holdDirectorySync } from './directory.ts';

/**
 * How well paths are held inside a tree on this machine: `proc` is full confinement; `best-effort` holds against clients,
 * not against a process inside the tree.
 */
export type Containment = 'proc' | 'best-effort';

/** How directories are opened on this machine. */
export interface Engine {
  readonly containment: Containment;
  /** The directory at this absolute path, or null where the path led elsewhere: through a link, or a directory was moved. */
  open(expected: Buffer): Promise<Directory | null>;
}

/** Where the kernel lists this process's descriptors; full confinement rests on it. */
export const DESCRIPTORS = '/proc/self/fd';

/**
 * The engine this machine can have. Without the kernel's list of descriptors it fails closed unless `bestEffort`.
 * @throws unavailable
 */
export function chooseEngine(bestEffort: boolean, descriptors: string = DESCRIPTORS): Engine {
  if (statSync(descriptors, { throwIfNoEntry: false })?.isDirectory() === true) return { containment: 'proc', open };
  if (bestEffort) return { containment: 'best-effort', open: openBestEffort };
  throw new FsError(
    'unavailable',
    'this machine has no /proc, without which links planted inside a tree cannot be told from directories; ' +
      'run on Linux with /proc mounted, or allow best-effort containment where no other process writes the trees',
  );
}

async function open(expected: Buffer): Promise<Directory | null> {
  return ifThere(await holdDirectory(expected), expected);
}

/** As the full engine's `open`, for a thread that may wait for the disk. */
export function openDirectorySync(expected: Buffer): Directory | null {
  return ifThere(holdDirectorySync(expected), expected);
}

/** Closes what lies elsewhere. */
function ifThere(directory: Directory, expected: Buffer): Directory | null {
  try {
    if (whereIs(directory.self).equals(expected)) return directory;
  } catch (error) {
    directory.close();
    throw error;
  }
  directory.close();
  return null;
}

// Synchronous on purpose: the kernel answers from memory, and a trip through the thread pool costs ten times as much.
function whereIs(self: HostPath): Buffer {
  return readlinkSync(self, { encoding: 'buffer' });
}

async function openBestEffort(expected: Buffer): Promise<Directory | null> {
  const real = await realpath(expected, { encoding: 'buffer' });
  return real.equals(expected) ? bestEffortDirectory(expected) : null;
}
