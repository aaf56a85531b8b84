import type { Selectable } from 'kysely';
import { fromPathKey, pathHash, pathKey } from './path-key.ts';
import type { Database, ManifestRow } from './schema.ts';

export type StoredFile = Omit<Selectable<ManifestRow>, 'tenant' | 'agent' | 'path_hash'>;

/** Whose manifest. */
export interface ManifestOf {
  readonly tenant: string;
  readonly agent: string;
}

const ROWS_PER_INSERT = 300;

/** What is recorded of these paths, by path. At most a few hundred at a time. */
export async function findInManifest(
  db: Database,
  { tenant, agent }: ManifestOf,
  paths: readonly string[],
): Promise<ReadonlyMap<string, StoredFile>> {
  if (paths.length === 0) return new Map();
  const rows = await db
    .selectFrom('manifest')
    .select(['path', 'version', 'size', 'sha256'])
    .where('tenant', '=', tenant)
    .where('agent', '=', agent)
    .where('path_hash', 'in', paths.map(pathHash))
    .execute();
  return new Map(rows.map((row) => [fromPathKey(row.path), { ...row, path: fromPathKey(row.path) }]));
}

/** Records files, replacing what was recorded of the same paths. */
export async function putInManifest(
  db: Database,
  { tenant, agent }: ManifestOf,
  files: readonly StoredFile[],
): Promise<void> {
  for (let at = 0; at < files.length; at += ROWS_PER_INSERT) {
    const rows = files
      .slice(at, at + ROWS_PER_INSERT)
      .map((file) => ({ ...file, tenant, agent, path_hash: pathHash(file.path), path: pathKey(file.path) }));
    await db
      .insertInto('manifest')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['tenant', 'agent', 'path_hash']).doUpdateSet((set) => ({
          version: set.ref('excluded.version'),
          size: set.ref('excluded.size'),
          sha256: set.ref('excluded.sha256'),
        })),
      )
      .execute();
  }
}

/**
 * The recorded paths that come after the path `after`, for going through all of them in pages. Their order has no meaning,
 * but is always the same.
 */
export async function pageManifest(
  db: Database,
  { tenant, agent }: ManifestOf,
  after: string | null,
  limit: number,
): Promise<readonly string[]> {
  let query = db.selectFrom('manifest').select('path').where('tenant', '=', tenant).where('agent', '=', agent);
  if (after !== null) query = query.where('path_hash', '>', pathHash(after));
  const rows = await query.orderBy('path_hash').limit(limit).execute();
  return rows.map((row) => fromPathKey(row.path));
}

export async function removeFromManifest(
  db: Database,
  { tenant, agent }: ManifestOf,
  paths: readonly string[],
): Promise<void> {
  for (let at = 0; at < paths.length; at += ROWS_PER_INSERT) {
    await db
      .deleteFrom('manifest')
      .where('tenant', '=', tenant)
      .where('agent', '=', agent)
      .where('path_hash', 'in', paths.slice(at, at + ROWS_PER_INSERT).map(pathHash))
      .execute();
  }
}
