import type { BigIntStats } from 'node:fs';
import { lstat, rename, unlink } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import { beneath } from './beneath.ts';
import { demandFits, flushDirectory, type HomeDisk } from './disk.ts';
import { diskError, hasCode } from './disk-error.ts';
import { child, demandCreatable, display, isWithin, ROOT, type TreePath } from './path.ts';
import { displace, existsAlready, found, put, result, type Spot } from './place.ts';
import { inodeOf } from './stats.ts';
import type { Placed } from './tree.ts';

/** Renames within one tree; see Tree.move. */
export async function move(disk: HomeDisk, from: TreePath, to: TreePath, overwrite: boolean): Promise<Placed> {
  demandFits(disk, to);
  if (isWithin(to, from)) throw intoItself(from);
  return beneath(disk, from, (fromDirectory, fromName) =>
    beneath(disk, to, async (directory, name) => {
      const source = { directory: fromDirectory, name: fromName, path: from };
      const target = { directory, name, path: to };
      const placed = await shift(disk, source, target, overwrite);
      await flushDirectory(disk, directory);
      await flushDirectory(disk, fromDirectory);
      return placed;
    }),
  );
}

async function shift(disk: HomeDisk, source: Spot, target: Spot, overwrite: boolean): Promise<Placed> {
  const stats = await statOf(source);
  const replaced = await found(target);
  if (replaced === null) demandCreatable(child(ROOT, target.name));
  else if (!overwrite || replaced.kind === 'directory') throw existsAlready(target.path);
  const from = source.directory.at(source.name);
  try {
    if (replaced === null) await put(from, target, stats.isDirectory());
    // Two names of one file: rename would do nothing and leave both.
    else if (replaced.inode === inodeOf(stats)) await unlink(from);
    else if (stats.isDirectory()) await displace(disk, from, target);
    else await rename(from, target.directory.at(target.name));
  } catch (error) {
    // EINVAL: the target's parent was moved into the source meanwhile.
    throw hasCode(error, 'EINVAL') ? intoItself(source.path) : error;
  }
  return { entry: await result(target, stats), replaced };
}

async function statOf({ directory, name, path }: Spot): Promise<BigIntStats> {
  try {
    return await lstat(directory.at(name), { bigint: true });
  } catch (error) {
    throw diskError(error, path);
  }
}

function intoItself(path: TreePath): FsError {
  return new FsError('invalid_request', `${display(path)} cannot be moved onto or into itself`, {
    path: display(path),
  });
}
