import { sql } from 'kysely';
import { openDatabase } from '../../src/db/drivers.ts';
import { MIGRATIONS } from '../../src/db/migrations/index.ts';
import { DATABASES, type TestDatabase } from '../support/databases.ts';

for (const kind of DATABASES) {
  describe(`openDatabase on ${kind.name}`, () => {
    let database: TestDatabase;
    beforeEach(async () => {
      database = await kind.create();
    });
    afterEach(() => database.drop());

    it('makes the tables once, though several open a new database at once', async () => {
      const fresh = await openDatabase(database.url);
      await dropEverything(fresh.db);
      const opened = await Promise.all(Array.from({ length: 4 }, () => openDatabase(database.url)));
      for (const one of opened) await one.ping();
      const applied = await sql`select name from migrations`.execute(fresh.db);
      expect(applied.rows).toEqual(MIGRATIONS.map(({ name }) => ({ name })));
      for (const one of [fresh, ...opened]) await one.close();
    });

    it('finds what was written when it is opened again', async () => {
      const first = await openDatabase(database.url, { durability: 'none' });
      await first.db.insertInto('tenants').values({ id: 'a', status: 'active', created_at: 5 }).execute();
      await first.close();
      const second = await openDatabase(database.url);
      expect(await second.db.selectFrom('tenants').select('id').execute()).toEqual([{ id: 'a' }]);
      expect(second.shared).toBe(kind.name === 'postgres');
      await second.close();
    });

    it('refuses a database that a newer program has changed', async () => {
      const opened = await openDatabase(database.url);
      await sql`insert into migrations (name) values ('9999-future')`.execute(opened.db);
      await opened.close();
      await expect(openDatabase(database.url)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('newer version of this program (9999-future)'),
      });
    });

    it('undoes a migration that fails, tables and all', async () => {
      const opened = await openDatabase(database.url);
      await dropEverything(opened.db);
      // In the way of one of the last tables.
      await sql`create table outputs (x integer)`.execute(opened.db);
      await expect(openDatabase(database.url)).rejects.toThrow('already exists');
      await expect(opened.db.selectFrom('tenants').selectAll().execute()).rejects.toThrow();
      await sql`drop table outputs`.execute(opened.db);
      await (await openDatabase(database.url)).close();
      await opened.close();
    });
  });
}

describe('openDatabase', () => {
  it.each(['mysql://localhost/x', 'data/file.db', ''])('refuses the URL %j', async (url) => {
    await expect(openDatabase(url)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('says unavailable where no server listens', async () => {
    await expect(openDatabase('postgres://nobody:secret@127.0.0.1:1/none')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.not.stringContaining('secret'),
    });
  });
});

async function dropEverything(db: Awaited<ReturnType<typeof openDatabase>>['db']): Promise<void> {
  const tables = [
    'tenants',
    'agents',
    'keys',
    'tags',
    'feeds',
    'changes',
    'watches',
    'attributes',
    'usage',
    'holds',
    'instances',
    'locks',
    'objects',
    'contents',
    'uploads',
    'texts',
    'meter',
    'answers',
    'answer_counts',
    'webhooks',
    'announcements',
  ];
  for (const table of [...tables, 'runs', 'live_runs', 'seeds', 'journal', 'manifest', 'outputs', 'migrations']) {
    await sql`drop table ${sql.table(table)}`.execute(db);
  }
}
