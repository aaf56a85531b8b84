import { constants } from 'node:fs';
import { chown, lchown, open } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import type { Anchor } from './beneath.ts';
import type { Directory, HostPath } from './directory.ts';
import { display, encodePath, type TreePath } from './path.ts';
import type { StagedBytes } from './staged-bytes.ts';

/** User and group ids that new entries are given. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What the verbs of one home work with: its tree, and its staging, which nobody but the daemon can reach. */
export interface HomeDisk extends Anchor {
  readonly stagingPath: string;
  readonly owner: Owner | null;
  /** Whether names and contents are made to survive a power cut. */
  readonly isDurable: boolean;
  /** Set while something kept aside in staging would not survive a power cut yet. */
  readonly asides: { areUnflushed: boolean };
  readonly stagedBytes: StagedBytes;
  /** A name in staging that was never used before, owned by this process. */
  nextName(): string;
}

// Linux: PATH_MAX counts the closing NUL.
const MAX_HOST_PATH_BYTES = 4095;

export function inStaging(disk: HomeDisk, name: string): string {
  return `${disk.stagingPath}/${name}`;
}

/** As `inStaging`, for what lies in a staged directory: its names need not be UTF-8. */
export function partPath(disk: HomeDisk, name: string): HostPath {
  const path = inStaging(disk, name);
  return path.isWellFormed() ? path : encodePath(path);
}

/** What nobody can open by its path should not be made. @throws invalid_path */
export function demandFits(disk: Anchor, path: TreePath): void {
  const longest = MAX_HOST_PATH_BYTES - Buffer.byteLength(disk.hostPath) - 1;
  if (encodePath(path).length <= longest) return;
  throw new FsError('invalid_path', `the path is longer than the ${longest} bytes this disk can take`, {
    path: display(path),
  });
}

/** Makes the names in a held directory survive a power cut. */
export async function flushDirectory(disk: HomeDisk, directory: Directory): Promise<void> {
  if (!disk.isDurable) return;
  const handle = await directory.reopen(constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** As `flushDirectory`, for a file or directory that only the daemon can reach. */
export async function flushPath(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives what is held to the home's owner, if it has one. */
export async function giveHeld(disk: HomeDisk, self: HostPath): Promise<void> {
  if (disk.owner !== null) await chown(self, disk.owner.uid, disk.owner.gid);
}

/** Gives something staged to the home's owner, if it has one; a link itself, never its target. */
export async function giveStaged(disk: HomeDisk, path: HostPath): Promise<void> {
  if (disk.owner !== null) await lchown(path, disk.owner.uid, disk.owner.gid);
}
