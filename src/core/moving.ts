import * as attributes from '../db/attributes.ts';
import { FsError } from '../errors.ts';
import type { Count, Entry } from '../tree/entry.ts';
import { demandCreatable, display, type TreePath } from '../tree/path.ts';
import { freedBy, NOTHING, subtract } from './account.ts';
import { demandApart, demandReplaceable } from './copying.ts';
import type { Expected, RelocateOptions } from './core.ts';
import { demandExpected, demandsAbsence } from './expected.ts';
import type { Told } from './feeds/news.ts';
import { madeDirectories, settleAndTell } from './feeds/telling.ts';
import type { PathGuard } from './locks.ts';
import { makeParents, missingParents, removeParents } from './parents.ts';
import type { Also } from './quota.ts';
import { Room } from './room.ts';
import type { VolumeParts } from './volume-parts.ts';

/** Renames within a volume; parents of `to` are made, attributes follow. @throws as Volume.move */
export async function moveEntry(
  parts: VolumeParts,
  from: TreePath,
  to: TreePath,
  { overwrite, expected = null }: RelocateOptions,
): Promise<Entry> {
  demandCreatable(to);
  const source = await parts.home.tree.stat(from);
  const room = new Room(parts.quota, parts.account);
  try {
    return await withLock(parts, source, [from, to], async (guard) => {
      const { tree } = parts.home;
      const entry = await demandSameKind(parts, source);
      demandApart(from, to, entry.kind === 'directory', 'moved');
      const before = await tree.find(to);
      demandExpected(expected, before, to);
      demandReplaceable(before, entry, to, overwrite);
      const parents = await missingParents(tree, [to]);
      await room.cover({ bytes: 0, files: parents.length }, 'exact');
      await guard.check();
      const made = await makeParents(tree, parents);
      const placed = await tree.move(from, to, overwrite && !demandsAbsence(expected)).catch(async (error: unknown) => {
        await removeParents(tree, made);
        throw error;
      });
      const follow: Also = (transaction) => attributes.moveAttributes(transaction, parts.account, from, to);
      const told = [...madeDirectories(made), movedAway(from, placed.entry)];
      await settleAndTell(
        parts,
        room,
        subtract({ bytes: 0, files: made.length }, freedBy(placed.replaced)),
        told,
        follow,
      );
      return placed.entry;
    });
  } catch (error) {
    await room.release();
    throw error;
  }
}

function movedAway(from: TreePath, entry: Entry): Told {
  return { type: 'moved', path: entry.path, from, isDirectory: entry.kind === 'directory', entry };
}

/** Removes an entry and what is said of it. On the root it empties the volume. @throws as Volume.remove */
export async function removeEntry(
  parts: VolumeParts,
  path: TreePath,
  options: { readonly recursive: boolean; readonly expected?: Expected },
): Promise<Count> {
  const { tree } = parts.home;
  const found = await tree.find(path);
  demandExpected(options.expected ?? null, found, path);
  if (found === null) throw new FsError('not_found', `${display(path)} does not exist`, { path: display(path) });
  const room = new Room(parts.quota, parts.account);
  try {
    return await withLock(parts, found, [path], async (guard) => {
      const entry = await demandSameKind(parts, found);
      demandExpected(options.expected ?? null, entry, path);
      demandRemovable(entry, options.recursive);
      await room.cover(NOTHING, 'exact');
      await guard.check();
      const removed = await tree.remove(path, { recursive: options.recursive });
      const follow: Also = (transaction) => attributes.deleteAttributes(transaction, parts.account, path);
      const told: Told = { type: 'deleted', path, isDirectory: entry.kind === 'directory', entry: null };
      await settleAndTell(parts, room, subtract(NOTHING, removed), [told], follow);
      return removed;
    });
  } catch (error) {
    await room.release();
    throw error;
  }
}

function demandRemovable(entry: Entry, recursive: boolean): void {
  if (entry.kind !== 'directory' || recursive) return;
  const path = display(entry.path);
  throw new FsError('is_directory', `${path} is a directory; ask for it to be removed with all it holds`, { path });
}

/** A directory is locked with everything below it, since all of that moves or goes with it. */
function withLock<T>(
  parts: VolumeParts,
  entry: Entry,
  paths: readonly TreePath[],
  use: (guard: PathGuard) => Promise<T>,
): Promise<T> {
  const { locks, lock } = parts;
  const locked = () =>
    entry.kind === 'directory' ? locks.withTreeLock(lock, paths, use) : locks.withPathLock(lock, paths, use);
  return parts.quota.afterRecount(parts.account, locked);
}

/** The lock was chosen by what was there before; it must fit what is there now. @throws conflict, not_found */
async function demandSameKind(parts: VolumeParts, before: Entry): Promise<Entry> {
  const now = await parts.home.tree.stat(before.path);
  if ((now.kind === 'directory') === (before.kind === 'directory')) return now;
  const path = display(before.path);
  throw new FsError('conflict', `${path} was replaced by another request at the same moment; try again`, { path });
}
