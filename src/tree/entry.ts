import type { TreePath } from './path.ts';

export type Kind = 'file' | 'directory' | 'symlink' | 'other';

/** One thing in a tree as it was at one moment. */
export interface Entry {
  readonly path: TreePath;
  readonly kind: Kind;
  /** Bytes a transfer of it moves (a symlink: the length of its target; a directory: 0). */
  readonly size: number;
  /** Bytes it counts against a quota: the smaller of its size and its allocated blocks; 0 unless a regular file. */
  readonly charged: number;
  /** The text of a symlink, never resolved; null for everything else. */
  readonly target: string | null;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  readonly modifiedAt: Date;
  readonly createdAt: Date;
  /** Identity, size, mtime and ctime in nanoseconds, as hex: changes with every write. The ETag is made of it. */
  readonly version: string;
  /** The inode number within the tree's filesystem: the same for every hard link of one file, and after a remount. */
  readonly inode: string;
  /** How many names the inode has. */
  readonly links: number;
}

/** What a count of entries came to, as quotas count: each inode once, files and directories and links as one each. */
export interface Count {
  readonly bytes: number;
  readonly files: number;
}

/** When the inode was last changed or moved, in nanoseconds, from Entry.version. */
export function changedNs(version: string): bigint {
  return BigInt(`0x${version.slice(version.lastIndexOf('-') + 1)}`);
}
