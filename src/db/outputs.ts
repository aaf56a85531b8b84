import type { Selectable } from 'kysely';
import { fromPathKey, pathHash, pathKey } from './path-key.ts';
import type { Database, ObjectRow, OutputRow } from './schema.ts';

export type StoredOutput = Omit<Selectable<OutputRow>, 'path_hash'>;

const COLUMNS = ['run_id', 'path', 'object_id', 'version', 'reason'] as const;

/** What became of these paths of a run so far, by path. At most a few hundred at a time. */
export async function findOutputs(
  db: Database,
  runId: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, StoredOutput>> {
  if (paths.length === 0) return new Map();
  const rows = await db
    .selectFrom('outputs')
    .select(COLUMNS)
    .where('run_id', '=', runId)
    .where('path_hash', 'in', paths.map(pathHash))
    .execute();
  return new Map(rows.map(asStored).map((output) => [output.path, output]));
}

/** Records what became of a path, replacing what was recorded before. */
export async function putOutput(db: Database, output: StoredOutput): Promise<void> {
  const { object_id, version, reason } = output;
  await db
    .insertInto('outputs')
    .values({ ...output, path_hash: pathHash(output.path), path: pathKey(output.path) })
    .onConflict((conflict) => conflict.columns(['run_id', 'path_hash']).doUpdateSet({ object_id, version, reason }))
    .execute();
}

export async function removeOutput(db: Database, runId: string, path: string): Promise<void> {
  await db.deleteFrom('outputs').where('run_id', '=', runId).where('path_hash', '=', pathHash(path)).execute();
}

/** How many paths of a run were kept as objects. */
export async function countOutputs(db: Database, runId: string): Promise<number> {
  const count = db.selectFrom('outputs').select(({ fn }) => fn.countAll<number>().as('count'));
  const kept = count.where('run_id', '=', runId).where('object_id', 'is not', null);
  return (await kept.executeTakeFirstOrThrow()).count;
}

/** Those that come after the path `after`. Their order has no meaning, but is always the same. */
export async function pageOutputs(
  db: Database,
  runId: string,
  after: string | null,
  limit: number,
): Promise<readonly StoredOutput[]> {
  let query = db.selectFrom('outputs').select(COLUMNS).where('run_id', '=', runId);
  if (after !== null) query = query.where('path_hash', '>', pathHash(after));
  const rows = await query.orderBy('path_hash').limit(limit).execute();
  return rows.map(asStored);
}

/** An object with the place of its path among the outputs of its run. */
export type KeptOutput = ObjectRow & Pick<OutputRow, 'path_hash'>;

/**
 * What was kept of a run and is there still: those that come after the place `after`, of one user where one is given. Their
 * order has no meaning, but stays the same while outputs come and go.
 */
export async function pageKept(
  db: Database,
  of: { readonly tenant: string; readonly runId: string; readonly userId: string | null },
  page: { readonly after: string | null; readonly limit: number },
): Promise<readonly KeptOutput[]> {
  let query = db
    .selectFrom('outputs')
    .innerJoin('objects', 'objects.id', 'outputs.object_id')
    .selectAll('objects')
    .select('outputs.path_hash')
    .where('outputs.run_id', '=', of.runId)
    .where('objects.tenant', '=', of.tenant)
    .where('objects.status', '=', 'uploaded');
  if (of.userId !== null) query = query.where('objects.user_id', '=', of.userId);
  if (page.after !== null) query = query.where('outputs.path_hash', '>', page.after);
  const rows = await query.orderBy('outputs.path_hash').limit(page.limit).execute();
  return rows.map((row) => ({ ...row, path: row.path === null ? null : fromPathKey(row.path) }));
}

/** What could not be kept and why, sorted by path. Where there is more than `limit`, it is always the same part. */
export async function skippedOutputs(db: Database, runId: string, limit: number): Promise<readonly StoredOutput[]> {
  const rows = await db
    .selectFrom('outputs')
    .select(COLUMNS)
    .where('run_id', '=', runId)
    .where('reason', 'is not', null)
    .orderBy('path_hash')
    .limit(limit)
    .execute();
  return rows.map(asStored).sort((one, other) => (one.path < other.path ? -1 : 1));
}

function asStored(row: StoredOutput): StoredOutput {
  return { ...row, path: fromPathKey(row.path) };
}
