import { acquireLocks, stored } from './lock-sets.ts';
import type { Database } from './schema.ts';

export interface LockWanted {
  readonly name: string;
  readonly instance: string;
  readonly ttlMs: number;
  readonly now: number;
}

/** One holding of a lock. */
export interface LockHeld {
  readonly name: string;
  /** The fencing token: every holder of the name has a higher one than all before it. */
  readonly token: number;
}

/** Takes a lock that is free or has run out; null where another holds it. Not for the holder to take again. */
export async function acquireLock(db: Database, { name, ...wanted }: LockWanted): Promise<number | null> {
  const held = await acquireLocks(db, { ...wanted, names: [name] });
  return held.get(name) ?? null;
}

/** Frees the lock if it is still held; its row stays for the token's sake until it is swept. */
export async function releaseLock(db: Database, { name, token }: LockHeld): Promise<void> {
  const held = db.updateTable('locks').set({ until: 0 }).where('name', '=', stored(name));
  await held.where('token', '=', token).execute();
}

/** Frees everything a stopped or dead process held. */
export async function releaseLocksOf(db: Database, instance: string): Promise<void> {
  await db.updateTable('locks').set({ until: 0 }).where('instance', '=', instance).where('until', '>', 0).execute();
}

/** Removes the rows of locks that are free, so that the table does not remember every path. Returns how many. */
export async function sweepLocks(db: Database, now: number, limit: number): Promise<number> {
  const free = db.selectFrom('locks').select('name').where('until', '<=', now).orderBy('name').limit(limit);
  const swept = await db.deleteFrom('locks').where('name', 'in', free).where('until', '<=', now).executeTakeFirst();
  return Number(swept.numDeletedRows);
}
