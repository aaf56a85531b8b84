import type { Count, Entry } from '../../tree/entry.ts';
import type { TreePath } from '../../tree/path.ts';
import { NOTHING } from '../account.ts';
import type { PathGuard } from '../locks.ts';
import type { Also } from '../quota.ts';
import { type Reservation, Room } from '../room.ts';
import type { VolumeParts } from '../volume-parts.ts';
import type { Told } from './news.ts';

/**
 * Ends the reservation of a change that is done, and tells of it in the same transaction: whoever hears of it can see it, and
 * one of which nobody hears, because the process died before, is known by the reservation it leaves behind.
 */
export async function settleAndTell(
  parts: VolumeParts,
  room: Reservation,
  actual: Count,
  told: readonly Told[],
  also?: Also,
): Promise<void> {
  await room.settle(actual, async (transaction) => {
    await also?.(transaction);
    await parts.news.record(transaction, parts.account, told, 'api');
  });
  if (told.length > 0) parts.news.wake(parts.account);
}

/** Changes an entry in its place, which needs no room: under its lock, marked before and told after like every write. */
export async function amend(parts: VolumeParts, path: TreePath, use: () => Promise<Entry>): Promise<Entry> {
  const room = new Room(parts.quota, parts.account);
  const amended = async (guard: PathGuard) => {
    await room.cover(NOTHING, 'exact');
    await guard.check();
    const entry = await use();
    await settleAndTell(parts, room, NOTHING, [arrived(entry, true)]);
    return entry;
  };
  try {
    return await parts.quota.afterRecount(parts.account, () => parts.locks.withPathLock(parts.lock, [path], amended));
  } catch (error) {
    await room.release();
    throw error;
  }
}

/** What is to be told of an entry that was put at its path, where something was before or nothing. */
export function arrived(entry: Entry, wasThere: boolean): Told {
  const type = wasThere ? 'modified' : 'created';
  return { type, path: entry.path, isDirectory: entry.kind === 'directory', entry };
}

/** What is to be told of directories that were made. */
export function madeDirectories(made: readonly TreePath[]): readonly Told[] {
  return made.map((path) => ({ type: 'created', path, isDirectory: true, entry: null }));
}
