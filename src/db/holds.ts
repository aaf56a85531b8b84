import { appendResync } from './changes.ts';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import { type AccountKey, charge, markRecount } from './usage.ts';

/**
 * Gives back what a dead process had reserved and demands a count of every part it wrote to, as nobody knows how far it came;
 * whoever listens to one is told so. Returns those parts. May be called by several processes at once, and again after it failed
 * halfway.
 */
export async function buryHolds(db: Database, instance: string, at: number): Promise<readonly AccountKey[]> {
  const holds = db.selectFrom('holds').select(['tenant', 'part']).where('instance', '=', instance);
  const accounts = await holds.orderBy('tenant').orderBy('part').execute();
  for (const account of accounts) await buryHold(db, instance, account, at);
  return accounts;
}

async function buryHold(db: Database, instance: string, { tenant, part }: AccountKey, at: number): Promise<void> {
  await inTransaction(db, async (tx) => {
    const hold = await tx
      .deleteFrom('holds')
      .where('instance', '=', instance)
      .where('tenant', '=', tenant)
      .where('part', '=', part)
      .returning(['bytes', 'files'])
      .executeTakeFirst();
    // Another process buried it first.
    if (hold === undefined) return;
    const reserved = { bytes: -hold.bytes, files: -hold.files };
    await charge(tx, { tenant, parts: ['', part], reserved, actual: { bytes: 0, files: 0 } });
    await markRecount(tx, { tenant, part });
    await appendResync(tx, { tenant, part }, at);
  });
}

/** Forgets the marks of a process that stopped cleanly: with nothing reserved any more, nothing is owed. */
export async function dropHolds(db: Database, instance: string): Promise<void> {
  const settled = db.deleteFrom('holds').where('instance', '=', instance);
  await settled.where('bytes', '=', 0).where('files', '=', 0).execute();
}
