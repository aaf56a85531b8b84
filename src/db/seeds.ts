import type { Insertable, Selectable } from 'kysely';
import { fromPathKey, pathKey } from './path-key.ts';
import type { Database, SeedRow } from './schema.ts';
import { inTransaction } from './transaction.ts';

export type StoredSeed = Selectable<SeedRow>;

const ROWS_PER_INSERT = 300;

/** Records what was copied in. Paths go in and come out as they are on disk. */
export async function insertSeeds(db: Database, seeds: readonly Insertable<SeedRow>[]): Promise<void> {
  for (let at = 0; at < seeds.length; at += ROWS_PER_INSERT) {
    const rows = seeds.slice(at, at + ROWS_PER_INSERT).map((seed) => ({ ...seed, path: pathKey(seed.path) }));
    await db.insertInto('seeds').values(rows).execute();
  }
}

/** In the order of copying, those after `after`. */
export async function pageSeeds(
  db: Database,
  runId: string,
  page: { readonly after: number; readonly limit: number; readonly automatic: boolean },
): Promise<readonly StoredSeed[]> {
  let query = db.selectFrom('seeds').selectAll().where('run_id', '=', runId).where('n', '>', page.after);
  if (page.automatic) query = query.where('automatic', '=', 1);
  const rows = await query.orderBy('n').limit(page.limit).execute();
  return rows.map((row) => ({ ...row, path: fromPathKey(row.path) }));
}

/** Adds one delivered later, and counts it on its run. The caller holds the run's lock. */
export async function addSeed(db: Database, seed: Omit<StoredSeed, 'n'>): Promise<void> {
  await inTransaction(db, async (trx) => {
    const last = await trx
      .selectFrom('seeds')
      .select('n')
      .where('run_id', '=', seed.run_id)
      .orderBy('n', 'desc')
      .limit(1)
      .executeTakeFirst();
    await insertSeeds(trx, [{ ...seed, n: (last?.n ?? -1) + 1 }]);
    await trx
      .updateTable('runs')
      .set((set) => ({
        seeded_files: set('seeded_files', '+', 1),
        seeded_bytes: set('seeded_bytes', '+', seed.size),
      }))
      .where('id', '=', seed.run_id)
      .execute();
  });
}

export async function findSeedAt(db: Database, runId: string, path: string): Promise<StoredSeed | null> {
  const row = await db
    .selectFrom('seeds')
    .selectAll()
    .where('run_id', '=', runId)
    .where('path', '=', pathKey(path))
    .executeTakeFirst();
  return row === undefined ? null : { ...row, path: fromPathKey(row.path) };
}

/** True when the run was given something from exactly this source (the JSON text of it). */
export async function hasSeedFrom(db: Database, runId: string, source: string): Promise<boolean> {
  const row = await db
    .selectFrom('seeds')
    .select('n')
    .where('run_id', '=', runId)
    .where('source', '=', source)
    .executeTakeFirst();
  return row !== undefined;
}

export async function moveSeed(db: Database, seed: StoredSeed, path: string): Promise<void> {
  await db
    .updateTable('seeds')
    .set({ path: pathKey(path) })
    .where('run_id', '=', seed.run_id)
    .where('n', '=', seed.n)
    .execute();
}
