import { lstat, rmdir, unlink } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import { beneath, within } from './beneath.ts';
import type { Directory } from './directory.ts';
import { flushDirectory, type HomeDisk } from './disk.ts';
import { hasCode, orNull } from './disk-error.ts';
import type { Count } from './entry.ts';
import { takeAndFree } from './free.ts';
import { isEmpty, readNames } from './names.ts';
import { ROOT, type TreePath } from './path.ts';
import { chargedOf } from './stats.ts';

// What a process keeps making in the root while it is emptied is left to it after as many rounds.
const ROUNDS = 8;
// A name whose kind changes between the look and the removal: more often than any honest process does it.
const LOOKS = 8;

/** Takes the entry away and frees it; see Tree.remove. */
export async function remove(disk: HomeDisk, path: TreePath, isRecursive: boolean): Promise<Count> {
  if (path === ROOT) return within(disk, ROOT, (root) => emptyRoot(disk, root, isRecursive));
  return beneath(disk, path, (directory, name) => removeIn(disk, directory, name, isRecursive));
}

async function removeIn(disk: HomeDisk, directory: Directory, name: string, isRecursive: boolean): Promise<Count> {
  const at = directory.at(name);
  const flush = (): Promise<void> => flushDirectory(disk, directory);
  for (let look = 1; ; look++) {
    const stats = await lstat(at, { bigint: true });
    try {
      if (stats.isDirectory() && isRecursive) return await takeAndFree(disk, at, flush);
      await (stats.isDirectory() ? rmdir(at) : unlink(at));
      await flush();
      const isLast = stats.isDirectory() || stats.nlink === 1n;
      return isLast ? { bytes: chargedOf(stats), files: 1 } : { bytes: 0, files: 0 };
    } catch (error) {
      // Swapped for another kind between the look and the removal.
      if (look === LOOKS || !hasCode(error, 'EISDIR', 'ENOTDIR')) throw error;
    }
  }
}

async function emptyRoot(disk: HomeDisk, root: Directory, isRecursive: boolean): Promise<Count> {
  if (!isRecursive) {
    if (await isEmpty(root)) return { bytes: 0, files: 0 };
    throw new FsError('not_empty', 'the root is not empty; remove it recursively to empty it');
  }
  let bytes = 0;
  let files = 0;
  const unflushed = { ...disk, isDurable: false };
  for (let round = 0; round < ROUNDS && !(await isEmpty(root)); round++) {
    for await (const names of readNames(root)) {
      for (const { name } of names) {
        const freed = await orNull(removeIn(unflushed, root, name, true), 'ENOENT');
        bytes += freed?.bytes ?? 0;
        files += freed?.files ?? 0;
      }
    }
  }
  await flushDirectory(disk, root);
  return { bytes, files };
}
