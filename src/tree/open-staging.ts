import { lstat, symlink as makeSymlink, opendir } from 'node:fs/promises';
import { copy, extend } from './copy.ts';
import { copyDirectory } from './copy-directory.ts';
import { flushPath, giveStaged, type HomeDisk, inStaging } from './disk.ts';
import { orNull } from './disk-error.ts';
import { free } from './free.ts';
import { newDirectory } from './new-directory.ts';
import { openPartial } from './partial.ts';
import { encodePath, type TreePath } from './path.ts';
import type { Placeable } from './placeable.ts';
import { forEachOf } from './pool.ts';
import { onDisk, receive } from './receive.ts';
import { stagedSymlink } from './staged.ts';
import type { Living, Staging } from './staging.ts';
import { inodeOf } from './stats.ts';
import type { Tree } from './tree.ts';

const FLUSHES_AT_ONCE = 16;
const OWNER_MARK = '~';

/** The staging of a home. Item names are `<owner>~<serial>`. */
export function openStaging(disk: HomeDisk): Staging {
  return {
    receive: (body, options) => receive(disk, body, options),
    copy: (source, options = {}) => copy(disk, source, options.mode),
    extend: (source, bytes) => extend(disk, source, bytes),
    symlink: (target) => onDisk(symlink(disk, target)),
    partial: (id) => openPartial(disk, id),
    copyDirectory: (tree, dir, onBytes) => copyDirectory(disk, tree, dir, onBytes),
    directory: (at) => newDirectory(disk, at),
    flush: (staged) => flush(disk, staged),
    asideName: (owner) => `${owner}${OWNER_MARK}a${serialOf(disk.nextName())}`,
    restore: (tree, aside, path) => restore(disk, tree, aside, path),
    forget: async (aside) => void (await free(disk, aside)),
    sweep: (living) => sweep(disk, living),
  };
}

async function symlink(disk: HomeDisk, target: string): Promise<Placeable> {
  const name = disk.nextName();
  const path = inStaging(disk, name);
  await makeSymlink(encodePath(target), path);
  await giveStaged(disk, path);
  return stagedSymlink(disk, name);
}

async function flush(disk: HomeDisk, staged: Iterable<Placeable>): Promise<void> {
  if (!disk.isDurable) return;
  // A link has no content of its own, and a copied directory was flushed as it was made.
  const files = [...staged].filter(({ kind, isFlushed }) => kind === 'file' && !isFlushed);
  await forEachOf(files, FLUSHES_AT_ONCE, ({ name }) => onDisk(flushPath(inStaging(disk, name))));
}

async function restore(disk: HomeDisk, tree: Tree, aside: string, path: TreePath): Promise<boolean> {
  const stats = await orNull(lstat(inStaging(disk, aside), { bigint: true }), 'ENOENT');
  if (stats === null) return false;
  const kind = stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : 'file';
  const kept = {
    name: aside,
    kind,
    inode: inodeOf(stats),
    isFlushed: true,
    discard: async () => void (await free(disk, aside)),
  } as const;
  await tree.place(path, kept, 'upsert');
  return true;
}

async function sweep(disk: HomeDisk, living: Living): Promise<number> {
  const items = await orNull(opendir(disk.stagingPath), 'ENOENT');
  if (items === null) return 0;
  let swept = 0;
  for await (const { name } of items) {
    if (await living.has(ownerOf(name))) continue;
    await free(disk, name);
    swept++;
  }
  return swept;
}

function ownerOf(name: string): string {
  const mark = name.indexOf(OWNER_MARK);
  return mark < 0 ? name : name.slice(0, mark);
}

function serialOf(name: string): string {
  return name.slice(name.indexOf(OWNER_MARK) + 1);
}
