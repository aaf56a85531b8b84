import { createHash } from 'node:crypto';
import type { Database } from './schema.ts';

/** Longer than this, a name does not surely fit into an index. */
const MAX_NAME_BYTES = 512;

/** Locks that one process takes and holds together. */
export interface LockSetWanted {
  readonly names: readonly string[];
  readonly instance: string;
  readonly ttlMs: number;
  readonly now: number;
}

/** The fencing token of each lock held, by its name. */
export type LocksHeld = ReadonlyMap<string, number>;

/**
 * Takes the locks that are free or have run out, and leaves those that another holds. Not for the holder to take again. Every
 * process asks in one order, so the database never has to end one for the other's sake.
 */
export async function acquireLocks(db: Database, { names, instance, ttlMs, now }: LockSetWanted): Promise<LocksHeld> {
  if (names.length === 0) return new Map();
  const wanted = new Map(names.map((name) => [stored(name), name]));
  const rows = await db
    .insertInto('locks')
    // The first token is the time, so that a name whose row was swept begins above where it ended.
    .values([...wanted.keys()].sort().map((name) => ({ name, instance, token: now, until: now + ttlMs })))
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet(({ eb, ref }) => ({
          instance,
          token: eb('locks.token', '+', 1),
          until: ref('excluded.until'),
        }))
        .where('locks.until', '<=', now),
    )
    .returning(['name', 'token'])
    .execute();
  return new Map(rows.map((row) => [wanted.get(row.name) ?? row.name, row.token]));
}

/** Holds those that are still held until then. */
export async function renewLocks(db: Database, instance: string, held: LocksHeld, until: number): Promise<void> {
  const names = [...held.keys()].map(stored).sort();
  if (names.length === 0) return;
  const mine = db.updateTable('locks').set({ until }).where('name', 'in', names).where('instance', '=', instance);
  await mine.where('until', '>', 0).execute();
}

/** True while nobody else has taken one of them since this holding began. */
export async function checkLocks(db: Database, held: LocksHeld): Promise<boolean> {
  if (held.size === 0) return true;
  const names = [...held.keys()].map(stored);
  const query = db.selectFrom('locks').select(['name', 'token']).where('name', 'in', names).where('until', '>', 0);
  const tokens = new Map((await query.execute()).map((row) => [row.name, row.token]));
  return [...held].every(([name, token]) => tokens.get(stored(name)) === token);
}

/** Frees those that are still held. The caller takes none of the names anew before this ended. */
export async function releaseLocks(db: Database, instance: string, held: LocksHeld): Promise<void> {
  const names = [...held.keys()].map(stored).sort();
  if (names.length === 0) return;
  const mine = db.updateTable('locks').set({ until: 0 }).where('name', 'in', names).where('instance', '=', instance);
  await mine.execute();
}

/** The text a name is kept under: a long one as its hash. */
export function stored(name: string): string {
  return Buffer.byteLength(name) <= MAX_NAME_BYTES ? name : createHash('sha256').update(name).digest('hex');
}
