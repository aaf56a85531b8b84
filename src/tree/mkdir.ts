import { mkdir as makeOne, rmdir } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import { beneath, hold, isAbsence } from './beneath.ts';
import type { Directory } from './directory.ts';
import { demandFits, flushDirectory, giveHeld, type HomeDisk } from './disk.ts';
import { diskError, orNull } from './disk-error.ts';
import { child, demandCreatable, display, nameOf, parentOf, ROOT, type TreePath } from './path.ts';
import { existsAlready } from './place.ts';

/** Makes the directory and its missing parents; returns those it made, outermost first. See Tree.mkdir. */
export async function mkdir(disk: HomeDisk, dir: TreePath): Promise<readonly TreePath[]> {
  demandFits(disk, dir);
  try {
    (await hold(disk, dir)).close();
    return [];
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    // A file or link has the very name; an element on the way is another matter.
    const isInTheWay = error.code === 'not_directory' || error.code === 'symlink';
    if (isInTheWay && error.detail.path === display(dir)) throw existsAlready(dir);
    if (error.code !== 'not_found') throw error;
  }
  const { existing, missing } = await deepestExisting(disk, dir);
  return makeAll(disk, existing, missing);
}

/** The directory that exists already, held, and the paths below it that are to be made. */
async function deepestExisting(
  disk: HomeDisk,
  dir: TreePath,
): Promise<{ existing: Directory; missing: readonly TreePath[] }> {
  const missing: TreePath[] = [];
  for (let path = dir; ; path = parentOf(path)) {
    try {
      return { existing: await hold(disk, path), missing: missing.reverse() };
    } catch (error) {
      if (path === ROOT || !(error instanceof FsError) || error.code !== 'not_found') throw error;
    }
    missing.push(path);
  }
}

/** Closes `existing`. Makes all or, as far as nobody has used them meanwhile, none. */
async function makeAll(
  disk: HomeDisk,
  existing: Directory,
  missing: readonly TreePath[],
): Promise<readonly TreePath[]> {
  let directory = existing;
  const made: TreePath[] = [];
  try {
    for (const path of missing) demandCreatable(child(ROOT, nameOf(path)));
    for (const path of missing) {
      const { next, isNew } = await makeIn(disk, directory, path);
      directory.close();
      directory = next;
      if (isNew) made.push(path);
    }
    return made;
  } catch (error) {
    for (const path of made.reverse()) await rmdirIfEmpty(disk, path);
    throw error;
  } finally {
    directory.close();
  }
}

async function makeIn(
  disk: HomeDisk,
  directory: Directory,
  path: TreePath,
): Promise<{ next: Directory; isNew: boolean }> {
  try {
    // EEXIST: made meanwhile by another; whether it is a directory shows next.
    const isNew = (await orNull(makeOne(directory.at(nameOf(path))), 'EEXIST')) !== null;
    const next = await directory.child(nameOf(path));
    if (!isNew) return { next, isNew };
    await giveHeld(disk, next.self);
    await flushDirectory(disk, next);
    await flushDirectory(disk, directory);
    return { next, isNew };
  } catch (error) {
    throw diskError(error, path);
  }
}

/** Removes the directory if it is there and empty; see Tree.rmdirIfEmpty. */
export async function rmdirIfEmpty(disk: HomeDisk, dir: TreePath): Promise<void> {
  if (dir === ROOT) return;
  try {
    await beneath(disk, dir, (directory, name) =>
      orNull(rmdir(directory.at(name)), 'ENOENT', 'ENOTEMPTY', 'ENOTDIR', 'EEXIST'),
    );
  } catch (error) {
    if (!isAbsence(error)) throw error;
  }
}
