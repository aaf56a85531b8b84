import { createHash } from 'node:crypto';
import { type CreateTableBuilder, type Selectable, sql } from 'kysely';
import type { ColumnTypes, Migration } from '../driver.ts';
import type { AttributeRow, Database } from '../schema.ts';

const ROWS_A_PAGE = 300;
const ROWS_A_STATEMENT = 1000;
const PLACE_CHARACTERS = 200;

/** Which paths have a tag: a row for each tag of each path. */
export const tags: Migration = {
  name: '0003-tags',
  up: async (db, types) => {
    await createTable(db, types);
    for await (const page of pagesOf(db)) {
      const rows = page.flatMap(({ tags: words, metadata: _, ...key }) =>
        [...new Set(JSON.parse(words) as readonly string[])].map((tag) => ({
          ...key,
          tag_hash: hashOf(tag),
          place: placeOf(key.path),
        })),
      );
      for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
        await db
          .insertInto('tags')
          .values(rows.slice(from, from + ROWS_A_STATEMENT))
          .execute();
      }
    }
  },
};

async function createTable(db: Database, types: ColumnTypes): Promise<void> {
  const columns = ['tag_hash', 'tenant', 'part', 'place', 'path_hash', 'path'];
  let table: CreateTableBuilder<string, string> = db.schema.createTable('tags');
  for (const column of columns) table = table.addColumn(column, types.text, (definition) => definition.notNull());
  // By how a path begins: a whole path may be too long for an index. No two indexes begin alike, as without statistics PostgreSQL
  // would take either of them and could read a whole volume where it looks for one path.
  await table
    .addPrimaryKeyConstraint('tags_key', ['tag_hash', 'tenant', 'part', 'place', 'path_hash'])
    .modifyEnd(types.tableEnd)
    .execute();
  await db.schema.createIndex('tags_path').on('tags').columns(['tenant', 'part', 'path_hash']).execute();
}

async function* pagesOf(db: Database): AsyncGenerator<readonly Selectable<AttributeRow>[]> {
  let after: Selectable<AttributeRow> | undefined;
  do {
    let query = db.selectFrom('attributes').selectAll();
    if (after !== undefined) {
      const { tenant, part, path_hash } = after;
      query = query.where(sql<boolean>`(tenant, part, path_hash) > (${tenant}, ${part}, ${path_hash})`);
    }
    const page = await query.orderBy('tenant').orderBy('part').orderBy('path_hash').limit(ROWS_A_PAGE).execute();
    if (page.length > 0) yield page;
    after = page.at(-1);
  } while (after !== undefined);
}

function hashOf(tag: string): string {
  return createHash('sha256').update(JSON.stringify(tag)).digest('base64url');
}

function placeOf(path: string): string {
  return Array.from(path).slice(0, PLACE_CHARACTERS).join('');
}
