import { type Expression, type Selectable, type SqlBool, sql } from 'kysely';
import { belowRange, keyHash, pathHash, pathKey } from './path-key.ts';
import type { AttributeRow, Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { AccountKey } from './usage.ts';

type StoredRow = Selectable<AttributeRow>;

const ROWS_A_PAGE = 300;
/** As the index `attributes_place` has it. */
const PLACE = sql<string>`substr(path, 1, 200)`;

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

/** Replaces what is given of what was said of the path, in one statement, and returns all that is said of it now. */
export async function putAttributes(
  db: Database,
  of: AccountKey,
  path: string,
  put: Partial<StoredAttributes>,
): Promise<StoredAttributes> {
  const key = { tenant: of.tenant, part: of.part, path_hash: pathHash(path), path: pathKey(path) };
  return db
    .insertInto('attributes')
    .values({ ...key, ...NOTHING_SAID, ...put })
    .onConflict((conflict) => conflict.columns(['tenant', 'part', 'path_hash']).doUpdateSet({ ...key, ...put }))
    .returning(['tags', 'metadata'])
    .executeTakeFirstOrThrow();
}

/**
 * What was said of a path and of everything below it is said of another; what was said there before is gone. Neither of the
 * two lies in the other.
 */
export async function moveAttributes(db: Database, of: AccountKey, from: string, to: string): Promise<void> {
  await transplant(db, of, from, to, async (tx, page) => {
    const hashes = page.map((row) => row.path_hash);
    const all = tx.deleteFrom('attributes').where('tenant', '=', of.tenant).where('part', '=', of.part);
    await all.where('path_hash', 'in', hashes).execute();
  });
}

/** As `moveAttributes`, but the path keeps its own. */
export async function copyAttributes(db: Database, of: AccountKey, from: string, to: string): Promise<void> {
  await transplant(db, of, from, to, async () => undefined);
}

/** Forgets what was said of a path and of everything below it; the root is the whole part. */
export async function deleteAttributes(db: Database, of: AccountKey, path: string): Promise<void> {
  await deleteAt(db, of, pathKey(path));
}

async function deleteAt(db: Database, of: AccountKey, key: string): Promise<void> {
  const all = db.deleteFrom('attributes').where('tenant', '=', of.tenant).where('part', '=', of.part);
  await all.where(atOrBelow(key)).execute();
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
      query = query.where(sql<SqlBool>`(${PLACE}, path_hash) > (${beginningOf(after.path)}, ${after.path_hash})`);
    }
    const page: readonly StoredRow[] = await query.orderBy(PLACE).orderBy('path_hash').limit(ROWS_A_PAGE).execute();
    if (page.length > 0) yield page;
    after = page.at(-1);
  } while (after !== undefined);
}

/** The exact condition, and what follows from it for the beginning of the path, which is what the index holds. */
function atOrBelow(key: string): Expression<SqlBool> {
  const [first, end] = belowRange(key);
  const exact = sql<SqlBool>`(path = ${key} or (path >= ${first} and path < ${end}))`;
  return sql<SqlBool>`${exact} and ${PLACE} >= ${beginningOf(key)} and ${PLACE} <= ${beginningOf(end)}`;
}

/** Cut by the database: it counts characters, not UTF-16 units. */
function beginningOf(key: string) {
  return sql<string>`substr(cast(${key} as text), 1, 200)`;
}
