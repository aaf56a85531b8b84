import type { Selectable } from 'kysely';
import { fromPathKey, pathKey } from './path-key.ts';
import type { ChangeRow, Database, FeedRow } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { AccountKey } from './usage.ts';

/** A change as it is stored: `path` and `from_path` as they are on disk. */
export type StoredChange = Omit<Selectable<ChangeRow>, 'tenant' | 'part'>;
/** A change that has no number yet. */
export type NewChange = Omit<StoredChange, 'seq'>;
export type StoredFeed = Pick<FeedRow, 'epoch' | 'next' | 'asked_at'>;

/** How many changes a feed keeps at least; who is further behind is told so. Some hundred more may stay for a while. */
const CHANGES_KEPT = 100_000;
const TRIM_EVERY = 1000;
const ROWS_PER_INSERT = 300;

/** The feed of a volume, or null where nobody asked for its changes lately. */
export async function findFeed(db: Database, { tenant, part }: AccountKey): Promise<StoredFeed | null> {
  const query = db.selectFrom('feeds').select(['epoch', 'next', 'asked_at']);
  return (await query.where('tenant', '=', tenant).where('part', '=', part).executeTakeFirst()) ?? null;
}

/** Begins a feed for a volume that has none. One without an account, because it was removed, gets none. */
export async function beginFeed(
  db: Database,
  { tenant, part }: AccountKey,
  { epoch, now }: { readonly epoch: string; readonly now: number },
): Promise<void> {
  await inTransaction(db, async (tx) => {
    // An update that changes nothing locks the account: its removal takes the feed along, before this or after.
    const account = await tx
      .updateTable('usage')
      .set(({ ref }) => ({ version: ref('version') }))
      .where('tenant', '=', tenant)
      .where('part', '=', part)
      .executeTakeFirst();
    if (account.numUpdatedRows === 0n) return;
    await tx
      .insertInto('feeds')
      .values({ tenant, part, epoch, next: 1, asked_at: now })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  });
}

/** Notes that somebody asked for the changes. */
export async function touchFeed(db: Database, { tenant, part }: AccountKey, now: number): Promise<void> {
  const update = db.updateTable('feeds').set({ asked_at: now });
  await update.where('tenant', '=', tenant).where('part', '=', part).execute();
}

/**
 * Numbers the changes and writes them, as part of a transaction that makes them durable; nothing where the volume has no
 * feed. Whoever else writes to the feed waits until that transaction ends, so numbers become visible in their order.
 */
export async function appendChanges(
  tx: Database,
  { tenant, part }: AccountKey,
  changes: readonly NewChange[],
): Promise<void> {
  const feed = await tx
    .updateTable('feeds')
    .set(({ eb }) => ({ next: eb('next', '+', changes.length) }))
    .where('tenant', '=', tenant)
    .where('part', '=', part)
    .returning('next')
    .executeTakeFirst();
  if (feed === undefined) return;
  const first = feed.next - changes.length;
  for (let from = 0; from < changes.length; from += ROWS_PER_INSERT) {
    const rows = changes.slice(from, from + ROWS_PER_INSERT).map((change, n) => ({
      ...change,
      tenant,
      part,
      seq: first + from + n,
      path: pathKey(change.path),
      from_path: change.from_path === null ? null : pathKey(change.from_path),
    }));
    await tx.insertInto('changes').values(rows).execute();
  }
  const isTimeToTrim = Math.floor(first / TRIM_EVERY) !== Math.floor(feed.next / TRIM_EVERY);
  if (isTimeToTrim) await deleteUpTo(tx, { tenant, part }, feed.next - 1 - CHANGES_KEPT);
}

/** Tells a feed, where there is one, that something may have gone past it. */
export function appendResync(tx: Database, of: AccountKey, at: number): Promise<void> {
  const resync = { type: 'resync', path: '', from_path: null, is_dir: 1, size: null, version: null } as const;
  return appendChanges(tx, of, [{ ...resync, origin: 'disk', at }]);
}

/** The changes after a number, in order. */
export async function pageChanges(
  db: Database,
  { tenant, part }: AccountKey,
  after: number,
  limit: number,
): Promise<readonly StoredChange[]> {
  const rows = await db
    .selectFrom('changes')
    .select(['seq', 'type', 'path', 'from_path', 'is_dir', 'size', 'version', 'origin', 'at'])
    .where('tenant', '=', tenant)
    .where('part', '=', part)
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    ...row,
    path: fromPathKey(row.path),
    from_path: row.from_path === null ? null : fromPathKey(row.from_path),
  }));
}

/** Removes up to `limit` changes made before a time, and in their feeds all that came earlier. Returns how many it found. */
export async function pruneChanges(db: Database, before: number, limit: number): Promise<number> {
  const query = db.selectFrom('changes').select(['tenant', 'part', 'seq']).where('at', '<', before);
  const old = await query.orderBy('at').limit(limit).execute();
  const last = new Map<string, AccountKey & { readonly seq: number }>();
  for (const row of old) {
    const name = `${row.tenant}/${row.part}`;
    if (row.seq > (last.get(name)?.seq ?? 0)) last.set(name, row);
  }
  for (const row of last.values()) await deleteUpTo(db, row, row.seq);
  return old.length;
}

/** Removes up to `limit` feeds for which nobody asked since a time, with their changes. */
export async function removeUnasked(db: Database, since: number, limit: number): Promise<void> {
  const query = db.selectFrom('feeds').select(['tenant', 'part']).where('asked_at', '<', since);
  for (const of of await query.orderBy('asked_at').limit(limit).execute()) {
    await inTransaction(db, async (tx) => {
      const feed = tx.deleteFrom('feeds').where('tenant', '=', of.tenant).where('part', '=', of.part);
      const removed = await feed.where('asked_at', '<', since).executeTakeFirst();
      if (removed.numDeletedRows > 0n) await removeChanges(tx, of);
    });
  }
}

/** Removes the feed of a volume and all that is in it. */
export async function removeFeed(db: Database, of: AccountKey): Promise<void> {
  await inTransaction(db, async (tx) => {
    for (const table of ['feeds', 'watches'] as const) {
      await tx.deleteFrom(table).where('tenant', '=', of.tenant).where('part', '=', of.part).execute();
    }
    await removeChanges(tx, of);
  });
}

async function removeChanges(tx: Database, { tenant, part }: AccountKey): Promise<void> {
  await tx.deleteFrom('changes').where('tenant', '=', tenant).where('part', '=', part).execute();
}

async function deleteUpTo(db: Database, { tenant, part }: AccountKey, seq: number): Promise<void> {
  const all = db.deleteFrom('changes').where('tenant', '=', tenant).where('part', '=', part);
  await all.where('seq', '<=', seq).execute();
}
