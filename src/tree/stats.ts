import type { BigIntStats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import type { Directory } from './directory.ts';
import { hasCode } from './disk-error.ts';
import type { Entry, Kind } from './entry.ts';
import { decodeName, type TreePath } from './path.ts';

const BLOCK_BYTES = 512n;
const PERMISSION_BITS = 0o777n;
// A link replaced by something else between the two looks at it: more rounds than any honest process causes.
const LOOKS = 8;

export function kindOf(stats: BigIntStats): Kind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}

/** As Entry.charged. */
export function chargedOf(stats: BigIntStats): number {
  if (!stats.isFile()) return 0;
  const allocated = stats.blocks * BLOCK_BYTES;
  return Number(allocated < stats.size ? allocated : stats.size);
}

/** As Entry.inode. */
export function inodeOf(stats: BigIntStats): string {
  return stats.ino.toString();
}

function modeOf(stats: BigIntStats): number {
  return Number(stats.mode & PERMISSION_BITS);
}

// Years of four digits. Some disks hold times that no Date can, and a process in the tree may set any.
const EARLIEST_MS = Date.parse('0000-01-01T00:00:00.000Z');
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z');

function dateOf(nanoseconds: bigint): Date {
  return new Date(Math.min(Math.max(Number(nanoseconds / 1_000_000n), EARLIEST_MS), LATEST_MS));
}

export function entryOf(path: TreePath, stats: BigIntStats, target: string | null): Entry {
  const kind = kindOf(stats);
  return {
    path,
    kind,
    size: kind === 'file' || kind === 'symlink' ? Number(stats.size) : 0,
    charged: chargedOf(stats),
    target,
    mode: modeOf(stats),
    modifiedAt: dateOf(stats.mtimeNs),
    createdAt: dateOf(stats.birthtimeNs === 0n ? stats.ctimeNs : stats.birthtimeNs),
    version: [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].map((part) => part.toString(16)).join('-'),
    inode: inodeOf(stats),
    links: Number(stats.nlink),
  };
}

/** The entry of this name in a held directory. Fails with the kernel's ENOENT where nothing is. */
export async function describe(directory: Directory, name: string, path: TreePath): Promise<Entry> {
  return describeFrom(directory, name, path, await lstat(directory.at(name), { bigint: true }));
}

/** As `describe`, where the caller has looked once already. */
export async function describeFrom(
  directory: Directory,
  name: string,
  path: TreePath,
  seen: BigIntStats,
): Promise<Entry> {
  let stats = seen;
  for (let look = 0; stats.isSymbolicLink() && look < LOOKS; look++) {
    try {
      return entryOf(path, stats, decodeName(await readlink(directory.at(name), { encoding: 'buffer' })));
    } catch (error) {
      // EINVAL: no link any more.
      if (!hasCode(error, 'EINVAL')) throw error;
    }
    stats = await lstat(directory.at(name), { bigint: true });
  }
  return entryOf(path, stats, null);
}
