import { type CreateTableBuilder, sql } from 'kysely';
import type { Migration } from '../driver.ts';

const KEY = ['tenant', 'user_id', 'agent_id', 'day'];
const COUNTS = ['uploads', 'downloads', 'bytes_in', 'bytes_out'];

/** What is transferred, by day; and which workspaces are a user's. */
export const meter: Migration = {
  name: '0007-meter',
  up: async (db, { text, integer, tableEnd }) => {
    let table: CreateTableBuilder<string, string> = db.schema.createTable('meter');
    for (const name of KEY) table = table.addColumn(name, text, (column) => column.notNull());
    for (const name of COUNTS) table = table.addColumn(name, integer, (column) => column.notNull().defaultTo(0));
    for (const name of ['bytes', 'files']) table = table.addColumn(name, integer);
    await table.addPrimaryKeyConstraint('meter_key', KEY).modifyEnd(tableEnd).execute();
    await db.schema.createIndex('meter_day').on('meter').columns(['day', 'tenant']).execute();
    const owned = db.schema.createIndex('agents_user').on('agents').columns(['user_id', 'tenant']);
    await owned.where(sql<boolean>`user_id is not null`).execute();
  },
};
