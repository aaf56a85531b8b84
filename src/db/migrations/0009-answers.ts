import type { Migration } from '../driver.ts';

/** The answers that an Idempotency-Key repeats, and how many of them each tenant has. */
export const answers: Migration = {
  name: '0009-answers',
  up: async (db, { text, integer, tableEnd }) => {
    await db.schema
      .createTable('answers')
      .addColumn('key_hash', text, (column) => column.primaryKey().notNull())
      .addColumn('tenant', text, (column) => column.notNull())
      .addColumn('claim', text, (column) => column.notNull())
      .addColumn('instance', text, (column) => column.notNull())
      .addColumn('call_hash', text, (column) => column.notNull())
      .addColumn('body_hash', text)
      .addColumn('body_bytes', integer, (column) => column.notNull().defaultTo(0))
      .addColumn('answer', text)
      .addColumn('answer_bytes', integer, (column) => column.notNull().defaultTo(0))
      .addColumn('expires_at', integer, (column) => column.notNull())
      .modifyEnd(tableEnd)
      .execute();
    await db.schema.createIndex('answers_tenant').on('answers').column('tenant').execute();
    await db.schema.createIndex('answers_expires_at').on('answers').column('expires_at').execute();
    await db.schema
      .createTable('answer_counts')
      .addColumn('tenant', text, (column) => column.primaryKey().notNull())
      .addColumn('answers', integer, (column) => column.notNull().defaultTo(0))
      .addColumn('bytes', integer, (column) => column.notNull().defaultTo(0))
      .modifyEnd(tableEnd)
      .execute();
  },
};
