import type { Migration } from '../driver.ts';

/** The texts of documents, kept beside the contents they were read from. */
export const texts: Migration = {
  name: '0006-texts',
  up: async (db, { text, integer, bytes, tableEnd }) => {
    await db.schema
      .createTable('texts')
      .addColumn('tenant', text, (column) => column.notNull())
      .addColumn('sha256', text, (column) => column.notNull())
      .addColumn('format', text, (column) => column.notNull())
      .addColumn('version', integer, (column) => column.notNull())
      .addColumn('text', bytes)
      .addColumn('reason', text)
      .addColumn('read_at', integer, (column) => column.notNull())
      .addPrimaryKeyConstraint('texts_key', ['tenant', 'sha256', 'format'])
      .modifyEnd(tableEnd)
      .execute();
  },
};
