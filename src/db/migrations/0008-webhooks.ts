import type { ColumnTypes, Migration } from '../driver.ts';
import type { Database } from '../schema.ts';

/** Who is told of what happens to a tenant, and what they are still to be told. */
export const webhooks: Migration = {
  name: '0008-webhooks',
  up: async (db, types) => {
    await createWebhooks(db, types);
    await createAnnouncements(db, types);
  },
};

async function createWebhooks(db: Database, { text, integer, tableEnd }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('webhooks')
    .addColumn('tenant', text, (column) => column.notNull())
    .addColumn('url', text, (column) => column.notNull())
    .addColumn('secret', text, (column) => column.notNull())
    .addColumn('events', text, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .addColumn('updated_at', integer, (column) => column.notNull())
    .addColumn('failures', integer, (column) => column.notNull().defaultTo(0))
    .addColumn('rest_until', integer, (column) => column.notNull().defaultTo(0))
    .addColumn('last_success_at', integer)
    .addColumn('last_failure_at', integer)
    .addColumn('last_failure', text)
    .addColumn('lost', integer, (column) => column.notNull().defaultTo(0))
    .addPrimaryKeyConstraint('webhooks_key', ['tenant'])
    .modifyEnd(tableEnd)
    .execute();
}

async function createAnnouncements(db: Database, { text, integer, tableEnd }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('announcements')
    .addColumn('tenant', text, (column) => column.notNull())
    .addColumn('id', text, (column) => column.notNull())
    .addColumn('type', text, (column) => column.notNull())
    .addColumn('body', text, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .addColumn('due_at', integer, (column) => column.notNull())
    .addColumn('attempts', integer, (column) => column.notNull().defaultTo(0))
    .addPrimaryKeyConstraint('announcements_key', ['tenant', 'id'])
    .modifyEnd(tableEnd)
    .execute();
  await db.schema.createIndex('announcements_due').on('announcements').columns(['tenant', 'due_at', 'id']).execute();
}
