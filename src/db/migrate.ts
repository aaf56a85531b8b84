import { sql } from 'kysely';
import { FsError } from '../errors.ts';
import type { Migration, OpenedDriver } from './driver.ts';
import { MIGRATIONS } from './migrations/index.ts';
import type { Database } from './schema.ts';

/**
 * Brings the schema up to this program's, in one transaction under a lock, so that several processes may do it at once.
 * @throws unavailable where a newer program has been here
 */
export async function migrate(
  { db, types, lockSchema }: OpenedDriver,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await lockSchema(tx);
    const applied = await appliedMigrations(tx);
    demandKnown(applied, migrations);
    for (const migration of migrations) {
      if (applied.includes(migration.name)) continue;
      await migration.up(tx, types);
      await sql`insert into migrations (name) values (${migration.name})`.execute(tx);
    }
  });
}

async function appliedMigrations(tx: Database): Promise<readonly string[]> {
  await sql`create table if not exists migrations (name text primary key)`.execute(tx);
  const { rows } = await sql<{ name: string }>`select name from migrations`.execute(tx);
  return rows.map(({ name }) => name);
}

function demandKnown(applied: readonly string[], migrations: readonly Migration[]): void {
  const unknown = applied.find((name) => !migrations.some((migration) => migration.name === name));
  if (unknown === undefined) return;
  throw new FsError(
    'unavailable',
    `the database was changed by a newer version of this program (${unknown}); start that version, or restore a backup`,
  );
}
