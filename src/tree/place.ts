import type { BigIntStats } from 'node:fs';
import { link, lstat, rename, unlink } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import { beneath } from './beneath.ts';
import type { Directory, HostPath } from './directory.ts';
import { demandFits, type HomeDisk, inStaging, partPath } from './disk.ts';
import { hasCode, orNull } from './disk-error.ts';
import type { Entry } from './entry.ts';
import { refusal } from './opened-file.ts';
import { child, demandCreatable, display, ROOT, type TreePath } from './path.ts';
import type { Placeable } from './placeable.ts';
import { describe, entryOf, inodeOf } from './stats.ts';
import type { Placed, PlaceMode } from './tree.ts';

/** A name in a held directory where a placing or a move puts something. */
export interface Spot {
  readonly directory: Directory;
  readonly name: string;
  readonly path: TreePath;
}

/** Puts something staged at `path` in one step; see Tree.place. */
export async function place(
  disk: HomeDisk,
  path: TreePath,
  staged: Placeable,
  mode: PlaceMode,
  aside?: string,
): Promise<Placed> {
  demandFits(disk, path);
  return beneath(disk, path, async (directory, name) => {
    const spot = { directory, name, path };
    const from = partPath(disk, staged.name);
    const replaced = await found(spot);
    demandMode(spot, replaced, mode, staged.kind === 'directory');
    const source = await lstat(from, { bigint: true });
    if (mode === 'create') await put(from, spot, staged.kind === 'directory');
    else await replace(disk, from, spot, replaced, staged, aside);
    disk.stagedBytes.forget(staged.name);
    return { entry: await result(spot, source), replaced };
  });
}

/** What has this name now, or null. */
export function found({ directory, name, path }: Spot): Promise<Entry | null> {
  return orNull(describe(directory, name, path), 'ENOENT');
}

function demandMode(spot: Spot, existing: Entry | null, mode: PlaceMode, isDirectory: boolean): void {
  const { path } = spot;
  const shown = display(path);
  if (existing === null) {
    if (mode === 'update') throw new FsError('not_found', `${shown} does not exist`, { path: shown });
    demandCreatable(child(ROOT, spot.name));
    return;
  }
  if (mode === 'create') throw existsAlready(path);
  if (existing.kind !== 'directory') return;
  throw isDirectory ? existsAlready(path) : refusal('directory', path);
}

/** Something is where something new was to be. */
export function existsAlready(path: TreePath): FsError {
  return new FsError('exists', `${display(path)} exists already`, { path: display(path) });
}

/** Moves `from` to a name that nothing has. The kernel decides a race, except that a directory takes an empty one's place. */
export async function put(from: HostPath, { directory, name }: Spot, isDirectory: boolean): Promise<void> {
  const at = directory.at(name);
  if (isDirectory) return rename(from, at);
  try {
    // link, not rename: rename would overwrite what was created meanwhile.
    await link(from, at);
  } catch (error) {
    // A disk without hard links, or a file of another user: the look beforehand has to do.
    if (!hasCode(error, 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    return rename(from, at);
  }
  await unlink(from);
}

async function replace(
  disk: HomeDisk,
  from: HostPath,
  spot: Spot,
  replaced: Entry | null,
  staged: Placeable,
  aside?: string,
): Promise<void> {
  const at = spot.directory.at(spot.name);
  if (replaced !== null && aside !== undefined) await keepAside(disk, spot, aside);
  // Two names of one file: rename would do nothing and leave both.
  if (replaced?.inode === staged.inode) return unlink(from);
  if (staged.kind === 'directory' && replaced !== null) return displace(disk, from, spot);
  try {
    await rename(from, at);
  } catch (error) {
    throw hasCode(error, 'EISDIR') ? refusal('directory', spot.path) : error;
  }
}

async function keepAside(disk: HomeDisk, { directory, name }: Spot, aside: string): Promise<void> {
  disk.asides.areUnflushed = true;
  // ENOENT: removed meanwhile, so there is nothing to keep.
  await orNull(link(directory.at(name), inStaging(disk, aside)), 'ENOENT');
}

/** A directory cannot be renamed over a file or link: that goes out of the way first, and comes back on failure. */
export async function displace(disk: HomeDisk, from: HostPath, { directory, name }: Spot): Promise<void> {
  const at = directory.at(name);
  const away = inStaging(disk, disk.nextName());
  await rename(at, away);
  try {
    await rename(from, at);
  } catch (error) {
    await rename(away, at);
    throw error;
  }
  await unlink(away);
}

/** The entry after it was put there; as it was before, where another process has taken it away again already. */
export async function result(spot: Spot, source: BigIntStats): Promise<Entry> {
  const entry = await found(spot);
  return entry?.inode === inodeOf(source) ? entry : entryOf(spot.path, source, null);
}
