import { type Expression, type SqlBool, sql } from 'kysely';
import { belowRange, pathKey } from './path-key.ts';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { AccountKey } from './usage.ts';

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
    .where('path', '=', pathKey(path))
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
  const key = { tenant: of.tenant, part: of.part, path: pathKey(path) };
  return db
    .insertInto('attributes')
    .values({ ...key, ...NOTHING_SAID, ...put })
    .onConflict((conflict) => conflict.columns(['tenant', 'part', 'path']).doUpdateSet({ ...key, ...put }))
    .returning(['tags', 'metadata'])
    .executeTakeFirstOrThrow();
}

/** What was said of a path and of everything below it is said of another; what was said there before is gone. */
export async function moveAttributes(db: Database, of: AccountKey, from: string, to: string): Promise<void> {
  const keys = { from: pathKey(from), to: pathKey(to) };
  await inTransaction(db, async (tx) => {
    await deleteAt(tx, of, keys.to);
    await tx
      .updateTable('attributes')
      .set({ path: transplanted(keys.from, keys.to) })
      .where('tenant', '=', of.tenant)
      .where('part', '=', of.part)
      .where(atOrBelow(keys.from))
      .execute();
  });
}

/** As `moveAttributes`, but the path keeps its own. */
export async function copyAttributes(db: Database, of: AccountKey, from: string, to: string): Promise<void> {
  const keys = { from: pathKey(from), to: pathKey(to) };
  await inTransaction(db, async (tx) => {
    await deleteAt(tx, of, keys.to);
    const copies = tx
      .selectFrom('attributes')
      .select(['tenant', 'part', transplanted(keys.from, keys.to).as('path'), 'tags', 'metadata'])
      .where('tenant', '=', of.tenant)
      .where('part', '=', of.part)
      .where(atOrBelow(keys.from));
    const insert = tx.insertInto('attributes').columns(['tenant', 'part', 'path', 'tags', 'metadata']);
    await insert.expression(copies).execute();
  });
}

/** Forgets what was said of a path and of everything below it; the root is the whole part. */
export async function deleteAttributes(db: Database, of: AccountKey, path: string): Promise<void> {
  await deleteAt(db, of, pathKey(path));
}

async function deleteAt(db: Database, of: AccountKey, key: string): Promise<void> {
  const all = db.deleteFrom('attributes').where('tenant', '=', of.tenant).where('part', '=', of.part);
  await all.where(atOrBelow(key)).execute();
}

function atOrBelow(key: string): Expression<SqlBool> {
  const [first, end] = belowRange(key);
  return sql<SqlBool>`(path = ${key} or (path >= ${first} and path < ${end}))`;
}

/** The row's path with one beginning instead of another. Lengths are the database's own: they count characters, not UTF-16 units. */
function transplanted(from: string, to: string) {
  return sql<string>`cast(${to} as text) || substr(path, length(cast(${from} as text)) + 1)`;
}
