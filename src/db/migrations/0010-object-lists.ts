import { sql } from 'kysely';
import type { Migration } from '../driver.ts';
import type { Database } from '../schema.ts';

const REPLACED = ['tenant', 'user_id', 'agent_id', 'session_id', 'run_id', 'purpose', 'expires_at'];

const LISTED: readonly (readonly string[])[] = [
  [],
  ['user_id'],
  ['agent_id'],
  ['session_id'],
  ['run_id'],
  ['purpose'],
  ['purpose', 'user_id'],
  ['purpose', 'agent_id'],
];

const KEPT: readonly (readonly string[])[] = [[], ['user_id'], ['agent_id']];

/**
 * Lists of objects read indexes that hold only what they show, so that no number of deleted or pending objects, and of other
 * people's, slows a page down. Each has a key of its own, so that no database can take another one.
 */
export const objectLists: Migration = {
  name: '0010-object-lists',
  up: async (db) => {
    for (const column of REPLACED) await db.schema.dropIndex(`objects_${column}`).execute();
    for (const columns of LISTED) await indexNewest(db, 'listed', columns, `status = 'uploaded'`);
    for (const columns of KEPT) await indexNewest(db, 'kept', columns, `status <> 'deleted'`);
    const expiring = db.schema.createIndex('objects_expiring').on('objects').column('expires_at');
    await expiring.where(sql<boolean>`status = 'uploaded' and expires_at is not null`).execute();
    // For the end of a tenant: everything of it, in whatever status.
    await db.schema.createIndex('objects_tenant').on('objects').column('tenant').execute();
  },
};

async function indexNewest(db: Database, list: string, columns: readonly string[], shown: string): Promise<void> {
  const key = ['tenant', ...columns].map((column) => `${column} || '/'`).join(' || ');
  const narrowed = columns.map((column) => `${column} is not null`);
  await db.schema
    .createIndex(['objects', list, ...columns].join('_'))
    .on('objects')
    .expression(sql`(${sql.raw(key)})`)
    .columns(['created_at', 'id'])
    .where(sql<boolean>`${sql.raw([shown, ...narrowed].join(' and '))}`)
    .execute();
}
