import { skippedOutputs } from '../db/outputs.ts';
import type { Database } from '../db/schema.ts';
import { pageSeeds } from '../db/seeds.ts';
import type { RunId } from '../ids.ts';
import type { PageOf, PageRequest, Seeded, Skipped } from './core.ts';
import { decodeCursor, pageOf, strangeCursor } from './paging.ts';
import { storedPath } from './run-parts.ts';

const MAX_SKIPPED = 1_000;

/** What a run was given, in the order of copying. @throws invalid_request for a cursor of another list */
export async function seededPage(db: Database, run: RunId, { limit, cursor }: PageRequest): Promise<PageOf<Seeded>> {
  const after = Number(decodeCursor(cursor) ?? -1);
  if (!Number.isSafeInteger(after)) throw strangeCursor();
  const rows = await pageSeeds(db, run, { after, limit: limit + 1, automatic: false });
  const { items, next } = pageOf(rows, limit, (row) => String(row.n));
  const seeded = items.map(({ path, size, sha256, source }) => ({
    path: storedPath(path),
    size,
    sha256,
    // Written by the copy-in or a delivery.
    source: JSON.parse(source) as Seeded['source'],
  }));
  return { items: seeded, next };
}

/** What could not be captured, by path: at most a thousand. */
export async function skippedOf(db: Database, run: RunId): Promise<readonly Skipped[]> {
  const rows = await skippedOutputs(db, run, MAX_SKIPPED);
  return rows.map(({ path, reason }) => ({ path: storedPath(path), reason: reason ?? '' }));
}
