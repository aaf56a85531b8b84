import { sql } from 'kysely';
import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import { row, tenantIds } from '../contract/database/rows.ts';
import { DATABASES, type TestDatabase } from '../support/databases.ts';
import { until } from '../support/wait.ts';

for (const kind of DATABASES.filter(({ name }) => name === 'postgres')) {
  describe('PostgreSQL', () => {
    let database: TestDatabase;
    let opened: OpenedDatabase;
    const errors: Error[] = [];
    beforeEach(async () => {
      database = await kind.create();
      const onError = (error: Error) => void errors.push(error);
      opened = await openDatabase(database.url, { onError, idleTransactionMs: 100, busyTimeoutMs: 100 });
    });
    afterEach(async () => {
      errors.length = 0;
      await opened.close();
      await database.drop();
    });

    const endOthers = sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`;

    it('is told of idle connections that broke and opens new ones', async () => {
      await Promise.all(Array.from({ length: 3 }, () => opened.ping()));
      const other = await openDatabase(database.url);
      await endOthers.execute(other.db);
      await until(() => errors.length > 0);
      // A connection may be handed out before its end is heard of, but each only once.
      await until(() =>
        opened.ping().then(
          () => true,
          () => false,
        ),
      );
      await other.close();
    });

    it('says unavailable where the server ends a connection in the middle of a transaction', async () => {
      const other = await openDatabase(database.url);
      const cut = inTransaction(opened.db, async (tx) => {
        await tx.insertInto('tenants').values(row('cut')).execute();
        await endOthers.execute(other.db);
        await tx.insertInto('tenants').values(row('off')).execute();
      });
      await expect(cut).rejects.toMatchObject({ code: 'unavailable' });
      expect(await tenantIds(opened.db, '')).toEqual([]);
      await other.close();
    });

    it('rolls back a transaction that stands idle, so that the others go on', async () => {
      const stuck = inTransaction(opened.db, async (tx) => {
        await tx.insertInto('tenants').values(row('stuck')).execute();
        await until(async () => {
          const idle = sql`select 1 from pg_stat_activity where datname = current_database() and state like 'idle in%'`;
          return (await idle.execute(opened.db)).rows.length === 0;
        });
        await tx.insertInto('tenants').values(row('late')).execute();
      });
      await expect(stuck).rejects.toMatchObject({ code: 'unavailable' });
      expect(await tenantIds(opened.db, '')).toEqual([]);
    });

    it('says unavailable where another transaction keeps a row for too long', async () => {
      await opened.db.insertInto('tenants').values(row('kept')).execute();
      const update = (db: typeof opened.db) => db.updateTable('tenants').set({ created_at: 2 }).execute();
      const holding = await openDatabase(database.url);
      await inTransaction(holding.db, async (tx) => {
        await update(tx);
        await expect(update(opened.db)).rejects.toMatchObject({ code: 'unavailable' });
      });
      await holding.close();
    });
  });
}

it('PostgreSQL is among the databases unless DATABASES leaves it out', () => {
  expect(DATABASES.some(({ name }) => name === 'postgres')).toBe(/postgres/.test(process.env.DATABASES ?? 'postgres'));
});
