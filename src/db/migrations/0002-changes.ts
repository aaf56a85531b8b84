import type { ColumnTypes, Migration } from '../driver.ts';
import type { Database } from '../schema.ts';

/** The feeds of changes, one for each volume that somebody listens to, and who watches its disk. */
export const changes: Migration = {
  name: '0002-changes',
  up: async (db, types) => {
    await createFeeds(db, types);
    await createChanges(db, types);
    await createWatches(db, types);
  },
};

async function createFeeds(db: Database, { text, integer, tableEnd }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('feeds')
    .addColumn('tenant', text, (column) => column.notNull())
    .addColumn('part', text, (column) => column.notNull())
    .addColumn('epoch', text, (column) => column.notNull())
    .addColumn('next', integer, (column) => column.notNull())
    .addColumn('asked_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('feeds_key', ['tenant', 'part'])
    .modifyEnd(tableEnd)
    .execute();
  await db.schema.createIndex('feeds_asked').on('feeds').column('asked_at').execute();
}

async function createChanges(db: Database, { text, integer, tableEnd }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('changes')
    .addColumn('tenant', text, (column) => column.notNull())
    .addColumn('part', text, (column) => column.notNull())
    .addColumn('seq', integer, (column) => column.notNull())
    .addColumn('type', text, (column) => column.notNull())
    .addColumn('path', text, (column) => column.notNull())
    .addColumn('from_path', text)
    .addColumn('is_dir', integer, (column) => column.notNull())
    .addColumn('size', integer)
    .addColumn('version', text)
    .addColumn('origin', text, (column) => column.notNull())
    .addColumn('at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('changes_key', ['tenant', 'part', 'seq'])
    .modifyEnd(tableEnd)
    .execute();
  await db.schema.createIndex('changes_at').on('changes').column('at').execute();
}

async function createWatches(db: Database, { text, tableEnd }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('watches')
    .addColumn('instance', text, (column) => column.notNull())
    .addColumn('tenant', text, (column) => column.notNull())
    .addColumn('part', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('watches_key', ['instance', 'tenant', 'part'])
    .modifyEnd(tableEnd)
    .execute();
  await db.schema.createIndex('watches_part').on('watches').columns(['tenant', 'part']).execute();
}
