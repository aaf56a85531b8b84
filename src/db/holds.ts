import { appendResync } from './changes.ts';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import { type AccountKey, type AccountState, type Amount, charge, type Holder, markRecount } from './usage.ts';

const NOTHING: Amount = { bytes: 0, files: 0 };

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

/** What this holder has reserved on the part. */
export async function readHold(db: Database, { instance, tenant, part }: Holder): Promise<Amount> {
  const hold = db.selectFrom('holds').select(['bytes', 'files']).where('instance', '=', instance);
  const row = await hold.where('tenant', '=', tenant).where('part', '=', part).executeTakeFirst();
  return row ?? NOTHING;
}

/**
 * Gives back all that this holder has reserved on the part and books `actual`, also where nothing is reserved (any more).
 * Nothing of it is given back twice. Returns the two accounts as they are now.
 */
export async function settleHold(
  db: Database,
  hold: Holder & { readonly actual: Amount },
): Promise<readonly AccountState[]> {
  return inTransaction(db, async (tx) => {
    const held = (await takeHold(tx, hold)) ?? NOTHING;
    const reserved = { bytes: -held.bytes, files: -held.files };
    return charge(tx, { tenant: hold.tenant, parts: ['', hold.part], reserved, actual: hold.actual });
  });
}

async function buryHold(db: Database, instance: string, { tenant, part }: AccountKey, at: number): Promise<void> {
  await inTransaction(db, async (tx) => {
    const held = await takeHold(tx, { instance, tenant, part });
    // Another process buried it first.
    if (held === null) return;
    const reserved = { bytes: -held.bytes, files: -held.files };
    await charge(tx, { tenant, parts: ['', part], reserved, actual: NOTHING });
    await markRecount(tx, { tenant, part });
    await appendResync(tx, { tenant, part }, at);
  });
}

/** What the holder had on the part, which is its no more; null where another took it first. */
async function takeHold(tx: Database, { instance, tenant, part }: Holder): Promise<Amount | null> {
  const hold = tx.deleteFrom('holds').where('instance', '=', instance).where('tenant', '=', tenant);
  return (await hold.where('part', '=', part).returning(['bytes', 'files']).executeTakeFirst()) ?? null;
}

/** Forgets the marks of a process that stopped cleanly: with nothing reserved any more, nothing is owed. */
export async function dropHolds(db: Database, instance: string): Promise<void> {
  const settled = db.deleteFrom('holds').where('instance', '=', instance);
  await settled.where('bytes', '=', 0).where('files', '=', 0).execute();
}
