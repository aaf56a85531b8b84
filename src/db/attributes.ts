import type { Selectable } from 'kysely';
import { keyHash, pathHash, pathKey } from './path-key.ts';
import { afterPlace, atOrBelow, PLACE } from './place.ts';
import type { AttributeRow, Database } from './schema.ts';
import { enterTags, forgetTags } from './tags.ts';
import { inTransaction } from './transaction.ts';
import type { AccountKey } from './usage.ts';

type StoredRow = Selectable<AttributeRow>;
type PathRow = Pick<StoredRow, 'path' | 'path_hash'>;

const ROWS_A_PAGE = 300;

/** As JSON text: an array of words, and an object. */
export interface StoredAttributes {
  readonly tags: string;
  readonly metadata: string;
}

const NOTHING_SAID: StoredAttributes = { tags: '[]', metadata: '{}' };

/** null where nothing was ever said of the path. */
export async function getAttributes(db: Database, of: AccountKey, path: string): Promise<StoredAttributes | null> {
  const row = await db
    .selectFrom('attributes')
    .select(['tags', 'metadata'])
    .where('tenant', '=', of.tenant)
    .where('part', '=', of.part)
    .where('path_hash', '=', pathHash(path))
    .executeTakeFirst();
  return row ?? null;
}

/** Replaces what is given of what was said of the path, at one moment, and returns all that is said of it now. */
export async function putAttributes(
  db: Database,
  of: AccountKey,
  path: string,
  put: Partial<StoredAttributes>,
): Promise<StoredAttributes> {
  const key = { tenant: of.tenant, part: of.part, path_hash: pathHash(path), path: pathKey(path) };
  return inTransaction(db, async (tx) => {
    const stored = await tx
      .insertInto('attributes')
      .values({ ...key, ...NOTHING_SAID, ...put })
      .onConflict((conflict) => conflict.columns(['tenant', 'part', 'path_hash']).doUpdateSet({ ...key, ...put }))
      .returning(['tags', 'metadata'])
      .executeTakeFirstOrThrow();
    if (put.tags !== undefined) {
      await forgetTags(tx, of, [key.path_hash]);
      await enterTags(tx, of, [{ ...key, tags: stored.tags }]);
    }
    return stored;
  });
}

/**
 * What was said of a path and of everything below it is said of another; what was said there before is gone. Neither of the
 * two lies in the other.
 */
export async function moveAttributes(db: Database, of: AccountKey, from: string, to: string): Promise<void> {
  await transplant(db, of, from, to, (tx, page) => forget(tx, of, page));
}

/** As `moveAttributes`, but the path keeps its own. */
export async function copyAttributes(db: Database, of: AccountKey, from: string, to: string): Promise<void> {
  await transplant(db, of, from, to, async () => undefined);
}

/** Forgets what was said of a path and of everything below it; the root is the whole part. */
export async function deleteAttributes(db: Database, of: AccountKey, path: string): Promise<void> {
  await inTransaction(db, (tx) => deleteAt(tx, of, pathKey(path)));
}

/** Row by row, so that what is said of a path meanwhile goes or stays together with its tags. */
async function deleteAt(tx: Database, of: AccountKey, key: string): Promise<void> {
  const below = keysOf(tx, of).where(atOrBelow(key));
  let after: PathRow | undefined;
  do {
    const rest = after === undefined ? below : below.where(afterPlace(after.path, after.path_hash));
    const page: readonly PathRow[] = await rest.orderBy(PLACE).orderBy('path_hash').limit(ROWS_A_PAGE).execute();
    if (page.length > 0) await forget(tx, of, page);
    after = page.at(-1);
  } while (after !== undefined);
}

function keysOf(tx: Database, { tenant, part }: AccountKey) {
  const all = tx.selectFrom('attributes').select(['path', 'path_hash']);
  return all.where('tenant', '=', tenant).where('part', '=', part);
}

async function forget(tx: Database, of: AccountKey, page: readonly PathRow[]): Promise<void> {
  const hashes = page.map((row) => row.path_hash);
  const all = tx.deleteFrom('attributes').where('tenant', '=', of.tenant).where('part', '=', of.part);
  await all.where('path_hash', 'in', hashes).execute();
  await forgetTags(tx, of, hashes);
}

async function transplant(
  db: Database,
  of: AccountKey,
  from: string,
  to: string,
  leave: (tx: Database, page: readonly StoredRow[]) => Promise<void>,
): Promise<void> {
  const keys = { from: pathKey(from), to: pathKey(to) };
  await inTransaction(db, async (tx) => {
    await deleteAt(tx, of, keys.to);
    for await (const page of pagesBelow(tx, of, keys.from)) {
      await leave(tx, page);
      const rows = page.map((row) => {
        const path = keys.to + row.path.slice(keys.from.length);
        return { ...row, path_hash: keyHash(path), path };
      });
      await tx.insertInto('attributes').values(rows).execute();
      await enterTags(tx, of, rows);
    }
  });
}

/** What is said of a path and of everything below it, in the order of the index that finds it. */
async function* pagesBelow(db: Database, of: AccountKey, key: string): AsyncGenerator<readonly StoredRow[]> {
  let after: StoredRow | undefined;
  do {
    let query = db.selectFrom('attributes').selectAll().where('tenant', '=', of.tenant).where('part', '=', of.part);
    query = query.where(atOrBelow(key));
    if (after !== undefined) {
      query = query.where(afterPlace(after.path, after.path_hash));
    }
    const page: readonly StoredRow[] = await query.orderBy(PLACE).orderBy('path_hash').limit(ROWS_A_PAGE).execute();
    if (page.length > 0) yield page;
    after = page.at(-1);
  } while (after !== undefined);
}
