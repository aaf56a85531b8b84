import { createHash } from 'node:crypto';
import {
  findInManifest,
  type ManifestOf,
  pageManifest,
  putInManifest,
  removeFromManifest,
  type StoredFile,
} from '../db/manifest.ts';
import type { Database } from '../db/schema.ts';
import { FsError } from '../errors.ts';
import type { Entry } from '../tree/entry.ts';
import { ROOT, type TreePath } from '../tree/path.ts';
import { mapOf } from '../tree/pool.ts';
import { inBatches } from './batches.ts';
import type { ReadVolume } from './core.ts';
import { PathSet } from './path-set.ts';
import { WALK_DEPTH, WALK_ENTRIES } from './run-parts.ts';
import { storedPath } from './stored-path.ts';
import { nullIfUnreachable } from './unreachable.ts';

/** How many files are looked up, hashed and recorded together. */
export const BATCH = 400;

const HASHES_AT_ONCE = 4;
// A hole costs its maker nothing and whoever reads it as much as data. Disks that compress make small ones everywhere.
const HOLES_FREE_BYTES = 1024 ** 3;
const HOLES_PER_BYTE = 8;
/** Two writes within one tick of the disk's clock leave the same times, so a version this fresh proves nothing later. */
const FRESH_MS = 2_000;

/** What was just copied in is known without reading it again. */
export type Known = ReadonlyMap<TreePath, { readonly version: string; readonly sha256: string }>;

/** The version to remember an entry by; '' (equal to none) while another write could still leave the same one. */
export function settledVersion(entry: Entry, now: Date): string {
  return now.getTime() - entry.modifiedAt.getTime() < FRESH_MS ? '' : entry.version;
}

/** The hash of a file that was not read: equal to none, so that of such a file any change counts, also a touch. */
export const UNREAD = '';

/**
 * Records what the workspace holds: every regular file with its hash. A file is read only when neither `known` nor what
 * was recorded before has this version of it, and not when there are far more holes to read than data. Memory grows with
 * the number of files, not with the length of their paths.
 * @throws too_large when the workspace is too big to be looked through; a file that cannot be read is left out
 */
export async function takeManifest(
  db: Database,
  of: ManifestOf,
  volume: ReadVolume,
  known: Known,
  now: () => Date,
): Promise<void> {
  const seen = new PathSet();
  const isWorthReading = holesBound();
  for await (const batch of inBatches(regularFiles(volume), BATCH)) {
    const before = await findInManifest(
      db,
      of,
      batch.map((entry) => entry.path),
    );
    const changed = batch.filter((entry) => before.get(entry.path)?.version !== entry.version);
    const files = await mapOf(changed, HASHES_AT_ONCE, (entry) =>
      describe(volume, entry, { known, now, isWorthReading }),
    );
    const recorded = files.filter((file) => file !== null);
    await putInManifest(db, of, recorded);
    const unread = new Set(changed.map((entry) => entry.path));
    for (const file of recorded) unread.delete(file.path);
    for (const entry of batch) if (!unread.has(entry.path)) seen.add(entry.path);
  }
  await forgetOthers(db, of, seen);
}

/** Tells of one file after the other whether to read it. */
function holesBound(): (entry: Entry) => boolean {
  let holes = 0;
  let data = 0;
  return ({ size, charged }) => {
    data += charged;
    if (holes + size - charged > HOLES_FREE_BYTES + HOLES_PER_BYTE * data) return false;
    holes += size - charged;
    return true;
  };
}

async function* regularFiles(volume: ReadVolume): AsyncGenerator<Entry> {
  const onLimit = (which: 'depth' | 'entries') => {
    const what = which === 'depth' ? `is deeper than ${WALK_DEPTH} levels` : `holds more than ${WALK_ENTRIES} entries`;
    throw new FsError('too_large', `the workspace ${what}; no run can begin in it until some are removed`);
  };
  for await (const entry of volume.walk(ROOT, { depth: WALK_DEPTH, entries: WALK_ENTRIES, onLimit })) {
    if (entry.kind === 'file') yield entry;
  }
}

interface Looking {
  readonly known: Known;
  readonly now: () => Date;
  readonly isWorthReading: (entry: Entry) => boolean;
}

/** null where the file is gone or cannot be read: then whatever is found there at the end counts as new. */
async function describe(
  volume: ReadVolume,
  entry: Entry,
  { known, now, isWorthReading }: Looking,
): Promise<(StoredFile & { path: TreePath }) | null> {
  const { path, size } = entry;
  const copied = known.get(path);
  if (copied?.version === entry.version) return { path, size, version: entry.version, sha256: copied.sha256 };
  if (!isWorthReading(entry)) return { path, size, version: settledVersion(entry, now()), sha256: UNREAD };
  const hashed = await hashFile(volume, path).catch(nullIfUnreachable);
  if (hashed === null) return null;
  return { path, size: hashed.entry.size, version: settledVersion(hashed.entry, now()), sha256: hashed.sha256 };
}

/** @throws conflict when the file shrinks meanwhile; not_found, unreadable, special_file, symlink */
export async function hashFile(volume: ReadVolume, path: TreePath): Promise<{ entry: Entry; sha256: string }> {
  const file = await volume.open(path);
  const hash = createHash('sha256');
  // The stream ends by closing the file, also when it fails. Its pieces are small enough to be hashed at once.
  for await (const chunk of file.stream()) hash.update(chunk);
  return { entry: file.entry, sha256: hash.digest('hex') };
}

/** A file that was removed and is made again with the same content is new, so nothing may be left of the old one. */
async function forgetOthers(db: Database, of: ManifestOf, seen: PathSet): Promise<void> {
  let after: string | null = null;
  for (;;) {
    const paths: readonly string[] = await pageManifest(db, of, after, BATCH);
    const last = paths.at(-1);
    if (last === undefined) return;
    await removeFromManifest(
      db,
      of,
      paths.filter((path) => !seen.has(storedPath(path))),
    );
    after = last;
  }
}
