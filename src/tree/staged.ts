import type { BigIntStats } from 'node:fs';
import { type FileHandle, lstat } from 'node:fs/promises';
import { type HomeDisk, inStaging } from './disk.ts';
import type { Count } from './entry.ts';
import { free } from './free.ts';
import type { Placeable } from './placeable.ts';
import type { StagedDirectory, StagedFile } from './staging.ts';
import { chargedOf, inodeOf } from './stats.ts';

const ALL_MODE_BITS = 0o7777n;

/** What was just written through `handle`, with the mode and owner it is to have; flushed, where it is to be. */
export async function stagedFile(
  disk: HomeDisk,
  name: string,
  handle: FileHandle,
  { mode, isFlushed }: { readonly mode: number; readonly isFlushed: boolean },
): Promise<StagedFile> {
  const stats = await settleFile(disk, handle, mode);
  if (isFlushed) await handle.sync();
  const [size, charged] = [Number(stats.size), chargedOf(stats)];
  return { ...placeable(disk, name, stats), kind: 'file', size, charged, isFlushed };
}

/** Gives a new file its mode and owner. */
export async function settleFile(disk: HomeDisk, handle: FileHandle, mode: number): Promise<BigIntStats> {
  const stats = await handle.stat({ bigint: true });
  // The umask may have taken bits away, and a copy may have come with setuid.
  if (Number(stats.mode & ALL_MODE_BITS) !== mode) await handle.chmod(mode);
  if (disk.owner !== null) await handle.chown(disk.owner.uid, disk.owner.gid);
  return stats;
}

/** A link that was just made in staging. */
export async function stagedSymlink(disk: HomeDisk, name: string): Promise<Placeable> {
  const stats = await lstat(inStaging(disk, name), { bigint: true });
  return { ...placeable(disk, name, stats), kind: 'symlink' };
}

/** A directory that was just made in staging and holds this much. */
export async function stagedDirectory(disk: HomeDisk, name: string, held: Count): Promise<StagedDirectory> {
  const stats = await lstat(inStaging(disk, name), { bigint: true });
  return { ...placeable(disk, name, stats), kind: 'directory', ...held };
}

function placeable(disk: HomeDisk, name: string, stats: BigIntStats): Omit<Placeable, 'kind'> {
  return {
    name,
    inode: inodeOf(stats),
    isFlushed: false,
    async discard() {
      disk.stagedBytes.forget(name);
      try {
        await free(disk, name);
      } catch {
        // Nobody waits for it: what is left is swept when this process is gone.
      }
    },
  };
}
