import { type CreateTableBuilder, sql } from 'kysely';
import type { Migration } from '../driver.ts';

const WORDS = ['id', 'tenant', 'part', 'metadata', 'status'];
const NUMBERS = ['length', 'received', 'wanted', 'created_at', 'expires_at'];

/** Uploads that are resumed until they are whole. */
export const uploads: Migration = {
  name: '0005-uploads',
  up: async (db, types) => {
    let table: CreateTableBuilder<string, string> = db.schema.createTable('uploads');
    for (const column of WORDS) table = table.addColumn(column, types.text, (definition) => definition.notNull());
    for (const column of NUMBERS) table = table.addColumn(column, types.integer, (definition) => definition.notNull());
    for (const column of ['path', 'meta', 'sha256', 'object_id']) table = table.addColumn(column, types.text);
    table = table.addColumn('settle_at', types.integer);
    await table.addPrimaryKeyConstraint('uploads_key', ['id']).modifyEnd(types.tableEnd).execute();
    await db.schema.createIndex('uploads_part').on('uploads').columns(['tenant', 'part']).execute();
    await db.schema.createIndex('uploads_expiring').on('uploads').column('expires_at').execute();
    const settling = db.schema.createIndex('uploads_settling').on('uploads').column('settle_at');
    await settling.where(sql<boolean>`settle_at is not null`).execute();
    const open = db.schema.createIndex('uploads_open').on('uploads').column('tenant');
    await open.where(sql<boolean>`status <> 'done'`).execute();
  },
};
