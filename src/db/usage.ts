import { type RawBuilder, type Selectable, sql } from 'kysely';
import { FsError } from '../errors.ts';
import type { Database, UsageRow } from './schema.ts';
import { inTransaction } from './transaction.ts';

/** One account: a part of a tenant ('store', 'objects', 'workspace/<agent>'), or the tenant as a whole (part ''). */
export interface AccountKey {
  readonly tenant: string;
  readonly part: string;
}

export interface AccountLimits {
  /** 0 = no limit. */
  readonly limitBytes: number;
  readonly limitFiles: number;
}

export interface AccountState extends AccountLimits {
  readonly part: string;
  readonly bytes: number;
  readonly files: number;
  readonly reservedBytes: number;
  readonly reservedFiles: number;
  readonly recountOwed: boolean;
  /** Another number after every change of `bytes` or `files`. */
  readonly version: number;
}

export type Accounts = readonly AccountState[];

/** Bytes and files (or directories). */
export interface Amount {
  readonly bytes: number;
  readonly files: number;
}

/** A part of a tenant as one daemon process, or something that outlives processes, has reserved on it. */
export interface Holder extends AccountKey {
  readonly instance: string;
}

/** Makes the account if it is not there. True when it was made; else its limits stay as they are. */
export async function ensureAccount(db: Database, account: AccountKey, limits: AccountLimits): Promise<boolean> {
  const { tenant, part } = account;
  const made = await db
    .insertInto('usage')
    .values({ tenant, part, limit_bytes: limits.limitBytes, limit_files: limits.limitFiles })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (made.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** null where there is no such account. */
export async function readAccount(db: Database, account: AccountKey): Promise<AccountState | null> {
  return (await readAccounts(db, account.tenant, [account.part])).get(account.part) ?? null;
}

/** Those of the parts that are accounts, by part. At most a few hundred at a time. */
export async function readAccounts(
  db: Database,
  tenant: string,
  parts: readonly string[],
): Promise<ReadonlyMap<string, AccountState>> {
  if (parts.length === 0) return new Map();
  const query = db.selectFrom('usage').selectAll().where('tenant', '=', tenant).where('part', 'in', parts);
  return new Map((await query.execute()).map((row) => [row.part, toState(row)]));
}

/** The accounts of a tenant by part, itself ('') first; `after` is the last part of the page before, or null. */
export async function listAccounts(
  db: Database,
  tenant: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<Accounts> {
  let query = db.selectFrom('usage').selectAll().where('tenant', '=', tenant);
  if (page.after !== null) query = query.where('part', '>', page.after);
  return (await query.orderBy('part').limit(page.limit).execute()).map(toState);
}

/** What the workspaces that are a user's hold and have reserved together. */
export async function sumWorkspaces(
  db: Database,
  tenant: string,
  userId: string,
): Promise<Amount & { readonly reservedBytes: number }> {
  const sum = (column: 'bytes' | 'files' | 'reserved_bytes') =>
    sql<number>`coalesce(sum(${sql.ref(`usage.${column}`)}), 0)`;
  return db
    .selectFrom('agents')
    .innerJoin('usage', (join) =>
      join.onRef('usage.tenant', '=', 'agents.tenant').on('usage.part', '=', sql<string>`'workspace/' || agents.id`),
    )
    .select([sum('bytes').as('bytes'), sum('files').as('files'), sum('reserved_bytes').as('reservedBytes')])
    .where('agents.user_id', '=', userId)
    .where('agents.tenant', '=', tenant)
    .executeTakeFirstOrThrow();
}

/** Changes the limits that are named; what is held already stays. False where there is no such account. */
export async function setLimits(db: Database, account: AccountKey, limits: Partial<AccountLimits>): Promise<boolean> {
  const { limitBytes, limitFiles } = limits;
  const changes = {
    ...(limitBytes === undefined ? {} : { limit_bytes: limitBytes }),
    ...(limitFiles === undefined ? {} : { limit_files: limitFiles }),
  };
  if (Object.keys(changes).length === 0) return (await readAccount(db, account)) !== null;
  const { tenant, part } = account;
  const update = db.updateTable('usage').set(changes).where('tenant', '=', tenant).where('part', '=', part);
  return (await update.executeTakeFirst()).numUpdatedRows > 0n;
}

/**
 * Reserves on a part and on its tenant, both or neither, and marks that this process writes there; reserving nothing only
 * marks. 'refused': one of the two has no room. 'recount': the part must be counted before anything is reserved on it.
 * @throws not_found where the part or its tenant has no account
 */
export async function reserve(db: Database, wanted: Holder & Amount): Promise<'ok' | 'refused' | 'recount'> {
  const { tenant, part, bytes, files } = wanted;
  return inTransaction(db, async (tx) => {
    await addToHold(tx, wanted, wanted);
    const granted = await tx
      .updateTable('usage')
      .set(({ eb }) => ({
        reserved_bytes: eb('reserved_bytes', '+', bytes),
        reserved_files: eb('reserved_files', '+', files),
      }))
      .where('tenant', '=', tenant)
      .where('part', 'in', ['', part])
      .where((eb) => eb.or([eb('recount', '=', 0), eb('part', '=', '')]))
      .where(hasRoom('bytes', bytes))
      .where(hasRoom('files', files))
      .returning('part')
      .execute();
    if (granted.length === 2) return 'ok';
    const back = { bytes: -bytes, files: -files };
    await addToHold(tx, wanted, back);
    for (const row of granted) await charge(tx, { tenant, parts: [row.part], reserved: back, actual: NOTHING });
    return whyRefused(tx, wanted);
  });
}

/**
 * Gives `reserved` back and books `actual` (negative where something went) on the part and its tenant. Releasing is settling
 * with nothing. What was given back already, because this process was taken for dead, is not given back twice. Returns the two
 * accounts as they are now.
 */
export async function settle(
  db: Database,
  { instance, tenant, part, reserved, actual }: Holder & { readonly reserved: Amount; readonly actual: Amount },
): Promise<Accounts> {
  return inTransaction(db, async (tx) => {
    const hold = await tx
      .updateTable('holds')
      .set({ bytes: floored('bytes', -reserved.bytes), files: floored('files', -reserved.files) })
      .where('instance', '=', instance)
      .where('tenant', '=', tenant)
      .where('part', '=', part)
      .executeTakeFirst();
    const back = hold.numUpdatedRows > 0n ? { bytes: -reserved.bytes, files: -reserved.files } : NOTHING;
    return charge(tx, { tenant, parts: ['', part], reserved: back, actual });
  });
}

/** Demands a count of the part before the next write; one that began before does not answer it. */
export async function markRecount(db: Database, { tenant, part }: AccountKey): Promise<void> {
  await db
    .updateTable('usage')
    .set(({ eb }) => ({ recount: 1, version: eb('version', '+', 1) }))
    .where('tenant', '=', tenant)
    .where('part', '=', part)
    .execute();
}

/**
 * Books what a count of the part found, and the difference on its tenant; answers with that and the two accounts as they are now.
 * null, and nothing booked, where the account was changed (or removed) since `ifVersion` was read: then count again.
 */
export async function applyRecount(
  db: Database,
  { tenant, part, counted, ifVersion }: AccountKey & { readonly counted: Amount; readonly ifVersion: number },
): Promise<{ readonly difference: Amount; readonly accounts: Accounts } | null> {
  return inTransaction(db, async (tx) => {
    const row = (await lockAccounts(tx, tenant, ['', part])).find((account) => account.part === part);
    if (row === undefined || row.version !== ifVersion) return null;
    const difference = { bytes: counted.bytes - row.bytes, files: counted.files - row.files };
    const accounts = await charge(tx, { tenant, parts: ['', part], reserved: NOTHING, actual: difference });
    await tx.updateTable('usage').set({ recount: 0 }).where('tenant', '=', tenant).where('part', '=', part).execute();
    return { difference, accounts };
  });
}

/** Removes a part: what it held and had reserved is given back to its tenant. */
export async function removeAccount(db: Database, { tenant, part }: AccountKey): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx.deleteFrom('holds').where('tenant', '=', tenant).where('part', '=', part).execute();
    const row = (await lockAccounts(tx, tenant, ['', part])).find((account) => account.part === part);
    if (row === undefined) return;
    const reserved = { bytes: -row.reserved_bytes, files: -row.reserved_files };
    await charge(tx, { tenant, parts: [''], reserved, actual: { bytes: -row.bytes, files: -row.files } });
    await tx.deleteFrom('usage').where('tenant', '=', tenant).where('part', '=', part).execute();
  });
}

/** Removes every account of the tenant, its own included. */
export async function removeAccounts(db: Database, tenant: string): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx.deleteFrom('holds').where('tenant', '=', tenant).execute();
    await tx.deleteFrom('usage').where('tenant', '=', tenant).execute();
  });
}

const NOTHING: Amount = { bytes: 0, files: 0 };

interface Charge {
  readonly tenant: string;
  readonly parts: readonly string[];
  readonly reserved: Amount;
  readonly actual: Amount;
}

/** Adds to accounts, never below nothing, and returns them. Every transaction takes hold rows first, then these. */
export async function charge(tx: Database, { tenant, parts, reserved, actual }: Charge): Promise<Accounts> {
  const changed = actual.bytes !== 0 || actual.files !== 0;
  const charged = await tx
    .updateTable('usage')
    .set(({ eb }) => ({
      reserved_bytes: floored('reserved_bytes', reserved.bytes),
      reserved_files: floored('reserved_files', reserved.files),
      bytes: floored('bytes', actual.bytes),
      files: floored('files', actual.files),
      version: eb('version', '+', changed ? 1 : 0),
    }))
    .where('tenant', '=', tenant)
    .where('part', 'in', parts)
    .returningAll()
    .execute();
  return charged.map(toState);
}

async function addToHold(tx: Database, { instance, tenant, part }: Holder, { bytes, files }: Amount): Promise<void> {
  await tx
    .insertInto('holds')
    .values({ instance, tenant, part, bytes, files })
    .onConflict((conflict) =>
      conflict.columns(['instance', 'tenant', 'part']).doUpdateSet(({ eb, ref }) => ({
        bytes: eb('holds.bytes', '+', ref('excluded.bytes')),
        files: eb('holds.files', '+', ref('excluded.files')),
      })),
    )
    .execute();
}

async function whyRefused(tx: Database, { tenant, part }: AccountKey): Promise<'refused' | 'recount'> {
  const accounts = await readAccounts(tx, tenant, ['', part]);
  const account = accounts.get(part);
  if (account === undefined || !accounts.has('')) {
    throw new FsError('not_found', 'what was to be written to does not exist any more');
  }
  return account.recountOwed ? 'recount' : 'refused';
}

/** The rows as they are now, which nobody else changes before this transaction ends: an update that changes nothing locks. */
async function lockAccounts(tx: Database, tenant: string, parts: readonly string[]): Promise<Selectable<UsageRow>[]> {
  return tx
    .updateTable('usage')
    .set(({ ref }) => ({ version: ref('version') }))
    .where('tenant', '=', tenant)
    .where('part', 'in', parts)
    .returningAll()
    .execute();
}

/** Asking for nothing more is never refused, also where a limit was lowered below what is held. */
function hasRoom(unit: 'bytes' | 'files', more: number): RawBuilder<boolean> {
  const [held, reserved, limit] = [sql.ref(unit), sql.ref(`reserved_${unit}`), sql.ref(`limit_${unit}`)];
  return more <= 0 ? sql<boolean>`1 = 1` : sql<boolean>`(${limit} = 0 or ${held} + ${reserved} + ${more} <= ${limit})`;
}

function floored(column: string, change: number): RawBuilder<number> {
  const sum = sql`${sql.ref(column)} + ${change}`;
  return sql<number>`case when ${sum} > 0 then ${sum} else 0 end`;
}

function toState(row: Selectable<UsageRow>): AccountState {
  return {
    part: row.part,
    bytes: row.bytes,
    files: row.files,
    reservedBytes: row.reserved_bytes,
    reservedFiles: row.reserved_files,
    limitBytes: row.limit_bytes,
    limitFiles: row.limit_files,
    recountOwed: row.recount === 1,
    version: row.version,
  };
}
