import { type Insertable, type Selectable, sql } from 'kysely';
import type { Database, MeterRow } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Amount } from './usage.ts';

/** What requests moved: files that came in, answers that served one, and the bytes of bodies. */
export interface Transfers {
  readonly uploads: number;
  readonly downloads: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Whose transfers: of a tenant, narrowed to one user, one agent, or both; '' stands for all. */
export interface MeterOf {
  readonly tenant: string;
  readonly userId: string;
  readonly agentId: string;
}

export interface MeteredDay extends Transfers {
  /** `2026-01-15` */
  readonly day: string;
  /** What the tenant held when the row last changed; null in rows of a user or agent. */
  readonly stored: Amount | null;
}

/** Where days that are too old to be kept one by one are added up. */
const BEFORE = '';
const ROWS_A_STATEMENT = 1000;

/**
 * Adds to the rows of these keys, all or none, and notes in those of whole tenants what the ledger says now. Nothing is kept of
 * a tenant that has been deleted.
 */
export async function addTransfers(
  db: Database,
  transfers: readonly (MeterOf & Transfers & { readonly day: string })[],
): Promise<void> {
  // Two processes that add to the same rows must come to them in one order.
  const rows = transfers.map(toRow).sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  await inTransaction(db, async (tx) => {
    for (const batch of batchesOf(rows)) {
      const living = await livingOf(tx, batch);
      await upsert(
        tx,
        batch.filter(({ tenant }) => living.has(tenant)),
      );
    }
    for (const day of new Set(rows.map((row) => row.day))) {
      const whole = rows.filter((row) => row.day === day && row.user_id === '' && row.agent_id === '');
      for (const batch of batchesOf(whole))
        await noteStored(
          tx,
          day,
          batch.map(({ tenant }) => tenant),
        );
    }
  });
}

/** All that was ever counted of somebody. */
export async function sumTransfers(db: Database, of: MeterOf): Promise<Transfers> {
  const sum = (column: 'uploads' | 'downloads' | 'bytes_in' | 'bytes_out') =>
    sql<number>`coalesce(sum(${sql.ref(column)}), 0)`;
  return ofSomebody(db, of)
    .select([sum('uploads').as('uploads'), sum('downloads').as('downloads')])
    .select([sum('bytes_in').as('bytesIn'), sum('bytes_out').as('bytesOut')])
    .executeTakeFirstOrThrow();
}

/** The days from `from` to `to`, both included, in which there was a request; oldest first. */
export async function listDays(
  db: Database,
  of: MeterOf,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<readonly MeteredDay[]> {
  const days = between(db, of, from, to).selectAll();
  return (await days.orderBy('user_id').orderBy('agent_id').orderBy('day').execute()).map(toDay);
}

/** The last day before `from` in which there was a request, or null. */
export async function lastDayBefore(db: Database, of: MeterOf, from: string): Promise<MeteredDay | null> {
  const before = between(db, of, BEFORE, from).selectAll().where('day', 'not in', [BEFORE, from]);
  const last = before.orderBy('user_id', 'desc').orderBy('agent_id', 'desc').orderBy('day', 'desc').limit(1);
  const row = await last.executeTakeFirst();
  return row === undefined ? null : toDay(row);
}

/** Adds up to `limit` rows of days before `day` to what is known of all earlier ones; says how many. */
export async function foldDays(db: Database, day: string, limit: number): Promise<number> {
  const due = db.selectFrom('meter').select(['tenant', 'user_id', 'agent_id', 'day']).where('day', '<', day);
  const keys = await due.where('day', '>', BEFORE).orderBy('day').orderBy('tenant').limit(limit).execute();
  if (keys.length === 0) return 0;
  const tuples = keys.map((key) => sql`(${key.tenant}, ${key.user_id}, ${key.agent_id}, ${key.day})`);
  return inTransaction(db, async (tx) => {
    const old = await tx
      .deleteFrom('meter')
      .where(sql<boolean>`(tenant, user_id, agent_id, day) in (values ${sql.join(tuples)})`)
      .returningAll()
      .execute();
    const sums = new Map<string, NewRow>();
    for (const row of old) {
      const folded = { ...row, day: BEFORE, bytes: null, files: null };
      const before = sums.get(keyOf(folded));
      sums.set(keyOf(folded), before === undefined ? folded : plus(before, folded));
    }
    for (const batch of batchesOf([...sums.values()])) await upsert(tx, batch);
    return old.length;
  });
}

type NewRow = Insertable<MeterRow> & Pick<MeterRow, 'tenant' | 'user_id' | 'agent_id' | 'day'> & Counts;
type Counts = Pick<Selectable<MeterRow>, 'uploads' | 'downloads' | 'bytes_in' | 'bytes_out'>;

async function livingOf(tx: Database, rows: readonly NewRow[]): Promise<ReadonlySet<string>> {
  const tenants = [...new Set(rows.map(({ tenant }) => tenant))];
  const accounts = tx.selectFrom('usage').select('tenant').where('tenant', 'in', tenants).where('part', '=', '');
  return new Set((await accounts.execute()).map(({ tenant }) => tenant));
}

async function upsert(tx: Database, rows: readonly NewRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx
    .insertInto('meter')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['tenant', 'user_id', 'agent_id', 'day']).doUpdateSet(({ eb, ref }) => ({
        uploads: eb('meter.uploads', '+', ref('excluded.uploads')),
        downloads: eb('meter.downloads', '+', ref('excluded.downloads')),
        bytes_in: eb('meter.bytes_in', '+', ref('excluded.bytes_in')),
        bytes_out: eb('meter.bytes_out', '+', ref('excluded.bytes_out')),
      })),
    )
    .execute();
}

/** After the rows were added to, and so are held by this transaction: whoever comes last reads the ledger last. */
async function noteStored(tx: Database, day: string, tenants: readonly string[]): Promise<void> {
  await tx
    .updateTable('meter')
    .set(({ selectFrom }) => {
      const account = selectFrom('usage').whereRef('usage.tenant', '=', 'meter.tenant').where('usage.part', '=', '');
      return { bytes: account.select('usage.bytes'), files: account.select('usage.files') };
    })
    .where('tenant', 'in', tenants)
    .where('user_id', '=', '')
    .where('agent_id', '=', '')
    .where('day', '=', day)
    .execute();
}

/**
 * The days from one to another. Asked of the key as a whole: told of days by themselves, PostgreSQL may take the index of days,
 * and read everybody's.
 */
function between(db: Database, { tenant, userId, agentId }: MeterOf, from: string, to: string) {
  return db
    .selectFrom('meter')
    .where('tenant', '=', tenant)
    .where(({ eb, refTuple, tuple }) =>
      eb.and([
        eb(refTuple('user_id', 'agent_id', 'day'), '>=', tuple(userId, agentId, from)),
        eb(refTuple('user_id', 'agent_id', 'day'), '<=', tuple(userId, agentId, to)),
      ]),
    );
}

function ofSomebody(db: Database, { tenant, userId, agentId }: MeterOf) {
  return db
    .selectFrom('meter')
    .where('tenant', '=', tenant)
    .where('user_id', '=', userId)
    .where('agent_id', '=', agentId);
}

function batchesOf(rows: readonly NewRow[]): readonly (readonly NewRow[])[] {
  const count = Math.ceil(rows.length / ROWS_A_STATEMENT);
  return Array.from({ length: count }, (_, n) => rows.slice(n * ROWS_A_STATEMENT, (n + 1) * ROWS_A_STATEMENT));
}

function keyOf({ tenant, user_id, agent_id, day }: Pick<MeterRow, 'tenant' | 'user_id' | 'agent_id' | 'day'>): string {
  return JSON.stringify([tenant, user_id, agent_id, day]);
}

function plus(one: NewRow, other: NewRow): NewRow {
  return {
    ...one,
    uploads: one.uploads + other.uploads,
    downloads: one.downloads + other.downloads,
    bytes_in: one.bytes_in + other.bytes_in,
    bytes_out: one.bytes_out + other.bytes_out,
  };
}

function toRow(transfer: MeterOf & Transfers & { readonly day: string }): NewRow {
  return {
    tenant: transfer.tenant,
    user_id: transfer.userId,
    agent_id: transfer.agentId,
    day: transfer.day,
    uploads: transfer.uploads,
    downloads: transfer.downloads,
    bytes_in: transfer.bytesIn,
    bytes_out: transfer.bytesOut,
    bytes: null,
    files: null,
  };
}

function toDay(row: Selectable<MeterRow>): MeteredDay {
  return {
    day: row.day,
    uploads: row.uploads,
    downloads: row.downloads,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    stored: row.bytes === null || row.files === null ? null : { bytes: row.bytes, files: row.files },
  };
}
