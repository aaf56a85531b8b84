import type { Grant } from '../auth/grant.ts';
import { pageKept, skippedOutputs } from '../db/outputs.ts';
import type { Database } from '../db/schema.ts';
import { pageSeeds } from '../db/seeds.ts';
import type { RunId } from '../ids.ts';
import type { FileObject, PageOf, PageRequest, Seeded, Skipped } from './core.ts';
import { toObject } from './objects/object-rows.ts';
import { decodeCursor, pageOf, strangeCursor } from './paging.ts';
import { storedPath } from './stored-path.ts';

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

/**
 * The files captured so far, sorted by path within the page. A page holds the same paths whatever else is captured meanwhile,
 * so that one that goes through the pages of a live run meets each once.
 */
export async function outputsPage(
  db: Database,
  { tenant, user }: Grant,
  run: RunId,
  { limit, cursor }: PageRequest,
): Promise<PageOf<FileObject>> {
  const of = { tenant, runId: run, userId: user };
  const rows = await pageKept(db, of, { after: decodeCursor(cursor), limit: limit + 1 });
  const { items, next } = pageOf(rows, limit, (row) => row.path_hash);
  const sorted = [...items].sort((one, other) => ((one.path ?? '') < (other.path ?? '') ? -1 : 1));
  return { items: sorted.map(toObject), next };
}

/** What could not be captured, by path: at most a thousand. */
export async function skippedOf(db: Database, run: RunId): Promise<readonly Skipped[]> {
  const rows = await skippedOutputs(db, run, MAX_SKIPPED);
  return rows.map(({ path, reason }) => ({ path: storedPath(path), reason: reason ?? '' }));
}
