import { sql } from 'kysely';
import type { Migration } from '../driver.ts';

/** What an object is before its bytes are there, how long it is kept, and how often it was asked for. */
export const objects: Migration = {
  name: '0004-objects',
  up: async (db, { integer }) => {
    for (const column of ['expected_size', 'uploaded_at', 'slot_until', 'expires_at']) {
      await db.schema.alterTable('objects').addColumn(column, integer).execute();
    }
    await db.schema
      .alterTable('objects')
      .addColumn('downloads', integer, (column) => column.notNull().defaultTo(0))
      .execute();
    await sql`update objects set uploaded_at = created_at where status <> 'pending_upload'`.execute(db);
    for (const column of ['slot_until', 'expires_at']) {
      const index = db.schema.createIndex(`objects_${column}`).on('objects').column(column);
      await index.where(sql<boolean>`${sql.ref(column)} is not null`).execute();
    }
  },
};
