import { FsError } from '../errors.ts';
import { chmod, chown, utimes } from './attributes.ts';
import { beneath, hold, isAbsence, within } from './beneath.ts';
import { flushDirectory, flushPath, type HomeDisk } from './disk.ts';
import { diskError } from './disk-error.ts';
import type { Entry } from './entry.ts';
import { list } from './list.ts';
import { mkdir, rmdirIfEmpty } from './mkdir.ts';
import { move } from './move.ts';
import { openFile, refusal } from './opened-file.ts';
import { ROOT, type TreePath } from './path.ts';
import { place } from './place.ts';
import { forEachOf } from './pool.ts';
import { remove } from './remove.ts';
import { describe, entryOf } from './stats.ts';
import type { Tree, WalkBounds } from './tree.ts';
import { count, walk } from './walk.ts';

const FLUSHES_AT_ONCE = 16;

/** The tree of a home. It holds nothing open: its directory may be removed at any time, and is then `not_found`. */
export function openTree(disk: HomeDisk): Tree {
  return {
    stat: (path) => stat(disk, path),
    find: (path) => find(disk, path),
    open: (path) => open(disk, path),
    list: (dir, page) => within(disk, dir, (directory) => list(directory, dir, page)),
    walk: (dir, bounds) => walkFrom(disk, dir, bounds),
    count: (signal) => within(disk, ROOT, (root) => count(root, signal)),
    place: (path, staged, mode, aside) => place(disk, path, staged, mode, aside),
    mkdir: (dir) => mkdir(disk, dir),
    move: (from, to, overwrite) => move(disk, from, to, overwrite),
    remove: (path, { recursive }) => remove(disk, path, recursive),
    chmod: (path, mode) => chmod(disk, path, mode),
    chown: (path, owner) => chown(disk, path, owner),
    utimes: (path, modifiedAt) => utimes(disk, path, modifiedAt),
    rmdirIfEmpty: (dir) => rmdirIfEmpty(disk, dir),
    flush: (dirs) => flush(disk, dirs),
  };
}

function stat(disk: HomeDisk, path: TreePath): Promise<Entry> {
  if (path === ROOT) return within(disk, ROOT, async (root) => entryOf(ROOT, await root.stat(), null));
  return beneath(disk, path, (directory, name) => describe(directory, name, path));
}

async function find(disk: HomeDisk, path: TreePath): Promise<Entry | null> {
  try {
    return await stat(disk, path);
  } catch (error) {
    if (error instanceof FsError && error.code === 'not_found') return null;
    throw error;
  }
}

async function open(disk: HomeDisk, path: TreePath): ReturnType<Tree['open']> {
  if (path === ROOT) throw refusal('directory', ROOT);
  return beneath(disk, path, (directory, name) => openFile(directory, name, path));
}

async function* walkFrom(disk: HomeDisk, dir: TreePath, bounds: WalkBounds): AsyncGenerator<Entry> {
  const start = await hold(disk, dir);
  try {
    yield* walk(start, dir, bounds);
  } catch (error) {
    throw diskError(error, dir);
  } finally {
    start.close();
  }
}

async function flush(disk: HomeDisk, dirs: Iterable<TreePath>): Promise<void> {
  if (!disk.isDurable) return;
  // What was kept aside must be there before what replaced it is.
  if (disk.asides.areUnflushed) {
    disk.asides.areUnflushed = false;
    await flushPath(disk.stagingPath);
  }
  await forEachOf(new Set(dirs), FLUSHES_AT_ONCE, async (dir) => {
    try {
      await within(disk, dir, (directory) => flushDirectory(disk, directory));
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
  });
}
