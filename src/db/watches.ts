import { appendResync } from './changes.ts';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { AccountKey } from './usage.ts';

/** One process's watch over one volume. */
export interface Watch extends AccountKey {
  readonly instance: string;
}

/**
 * Records that the process now sees what others do in the tree. Unless another process has seen it all along, the feed is
 * told that something may have gone past it. Returns the number of the feed's last change, or null where there is no feed.
 */
export async function beginWatch(db: Database, { instance, tenant, part }: Watch, at: number): Promise<number | null> {
  return inTransaction(db, async (tx) => {
    // An update that changes nothing locks the feed, so that of two who begin at once one sees the other.
    const feed = tx.updateTable('feeds').set(({ ref }) => ({ next: ref('next') }));
    const found = feed.where('tenant', '=', tenant).where('part', '=', part).returning('next');
    const locked = await found.executeTakeFirst();
    if (locked === undefined) return null;
    const watches = tx.selectFrom('watches').select('instance').where('tenant', '=', tenant).where('part', '=', part);
    const isSeen = (await watches.limit(1).execute()).length > 0;
    if (!isSeen) await appendResync(tx, { tenant, part }, at);
    const row = { instance, tenant, part };
    await tx
      .insertInto('watches')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return isSeen ? locked.next - 1 : locked.next;
  });
}

/** Records that the process sees the tree no more. */
export async function endWatch(db: Database, { instance, tenant, part }: Watch): Promise<void> {
  const own = db.deleteFrom('watches').where('instance', '=', instance);
  await own.where('tenant', '=', tenant).where('part', '=', part).execute();
}

/** Ends the watches of a dead process; each of their feeds is told, as nobody knows what it saw last. */
export async function buryWatches(db: Database, instance: string, at: number): Promise<void> {
  const watches = db.selectFrom('watches').select(['tenant', 'part']).where('instance', '=', instance);
  for (const { tenant, part } of await watches.orderBy('tenant').orderBy('part').execute()) {
    await inTransaction(db, async (tx) => {
      await endWatch(tx, { instance, tenant, part });
      await appendResync(tx, { tenant, part }, at);
    });
  }
}
