import type { Selectable } from 'kysely';
import { fromPathKey, pathKey } from './path-key.ts';
import type { Database, OutputRow } from './schema.ts';

export type StoredOutput = Selectable<OutputRow>;

/** What became of these paths of a run so far, by path. At most a few hundred at a time. */
export async function findOutputs(
  db: Database,
  runId: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, StoredOutput>> {
  if (paths.length === 0) return new Map();
  const rows = await db
    .selectFrom('outputs')
    .selectAll()
    .where('run_id', '=', runId)
    .where('path', 'in', paths.map(pathKey))
    .execute();
  return new Map(rows.map((row) => [fromPathKey(row.path), { ...row, path: fromPathKey(row.path) }]));
}

/** Records what became of a path, replacing what was recorded before. */
export async function putOutput(db: Database, output: StoredOutput): Promise<void> {
  const { object_id, version, reason } = output;
  await db
    .insertInto('outputs')
    .values({ ...output, path: pathKey(output.path) })
    .onConflict((conflict) => conflict.columns(['run_id', 'path']).doUpdateSet({ object_id, version, reason }))
    .execute();
}

export async function removeOutput(db: Database, runId: string, path: string): Promise<void> {
  await db.deleteFrom('outputs').where('run_id', '=', runId).where('path', '=', pathKey(path)).execute();
}

/** In the order of the table, those after `after`. */
export async function pageOutputs(
  db: Database,
  runId: string,
  after: string | null,
  limit: number,
): Promise<readonly StoredOutput[]> {
  let query = db.selectFrom('outputs').selectAll().where('run_id', '=', runId);
  if (after !== null) query = query.where('path', '>', pathKey(after));
  const rows = await query.orderBy('path').limit(limit).execute();
  return rows.map((row) => ({ ...row, path: fromPathKey(row.path) }));
}

/** What could not be kept and why, by path. */
export async function skippedOutputs(db: Database, runId: string, limit: number): Promise<readonly StoredOutput[]> {
  const rows = await db
    .selectFrom('outputs')
    .selectAll()
    .where('run_id', '=', runId)
    .where('reason', 'is not', null)
    .orderBy('path')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...row, path: fromPathKey(row.path) }));
}
