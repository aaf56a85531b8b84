import type { Selectable } from 'kysely';
import { fromPathKey, pathKey } from './path-key.ts';
import type { Database, JournalRow } from './schema.ts';
import { inTransaction } from './transaction.ts';

export type StoredStep = Selectable<JournalRow>;

const ROWS_PER_INSERT = 300;

/** Makes the steps durable, all or none. Paths go in and come out as they are on disk. */
export async function insertSteps(db: Database, steps: readonly StoredStep[]): Promise<void> {
  await inTransaction(db, async (trx) => {
    for (let at = 0; at < steps.length; at += ROWS_PER_INSERT) {
      const rows = steps.slice(at, at + ROWS_PER_INSERT).map((step) => ({ ...step, path: pathKey(step.path) }));
      await trx.insertInto('journal').values(rows).execute();
    }
  });
}

/** Latest first, those before `before` (null: from the last). */
export async function stepsBackwards(
  db: Database,
  runId: string,
  before: number | null,
  limit: number,
): Promise<readonly StoredStep[]> {
  let query = db.selectFrom('journal').selectAll().where('run_id', '=', runId);
  if (before !== null) query = query.where('n', '<', before);
  const rows = await query.orderBy('n', 'desc').limit(limit).execute();
  return rows.map((row) => ({ ...row, path: fromPathKey(row.path) }));
}
