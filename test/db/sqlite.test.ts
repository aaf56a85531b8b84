import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import type { OpenOptions } from '../../src/db/driver.ts';
import { migrate } from '../../src/db/migrate.ts';
import type { Database } from '../../src/db/schema.ts';
import { openSqlite, type SqliteDriver } from '../../src/db/sqlite.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import { row, tenantIds } from '../contract/database/rows.ts';

const run = promisify(execFile);

describe('openSqlite', () => {
  let directory: string;
  let file: string;
  const opened: SqliteDriver[] = [];

  const open = async (options: OpenOptions = {}, at = file) => {
    // Most of it is the same without flushes, and much faster on a busy disk.
    const driver = await openSqlite(at, { durability: 'none', ...options });
    opened.push(driver);
    await migrate(driver);
    return driver;
  };
  const insert = (db: Database, id: string) => db.insertInto('tenants').values(row(id)).execute();

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'workspaced-sqlite-'));
    file = path.join(directory, 'test.db');
  });
  afterEach(async () => {
    for (const driver of opened.splice(0)) await driver.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('shares one commit among many writers that come together', async () => {
    const { db, stats } = await open();
    const before = await stats();
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        n % 2 === 0 ? insert(db, `single ${n}`) : inTransaction(db, (tx) => insert(tx, `transaction ${n}`)),
      ),
    );
    const after = await stats();
    expect(after.jobs - before.jobs).toBe(200);
    expect(after.commits - before.commits).toBeLessThan(40);
    expect(await tenantIds(db, '')).toHaveLength(200);
  });

  it('commits one writer after another at once when they do not come together', async () => {
    const { db, stats } = await open();
    const before = await stats();
    for (let n = 0; n < 5; n += 1) await insert(db, `${n}`);
    expect((await stats()).commits - before.commits).toBe(5);
  });

  it('flushes each commit by default and none when told so', async () => {
    const synchronous = async ({ db }: SqliteDriver) => (await sql`pragma synchronous`.execute(db)).rows;
    const durable = await openSqlite(file, {});
    opened.push(durable);
    expect(await synchronous(durable)).toEqual([{ synchronous: 2 }]);
    expect(await synchronous(await open({ durability: 'none' }))).toEqual([{ synchronous: 0 }]);
  });

  it('says that the disk is full, keeps what was committed, and goes on when there is room', async () => {
    const { db } = await open();
    await insert(db, 'before');
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(db);
    await sql`pragma max_page_count = ${sql.lit((rows[0]?.page_count ?? 0) + 5)}`.execute(db);
    const big = (n: number) => insert(db, `${n}${'x'.repeat(20_000)}`);
    await expect(Promise.all([big(1), big(2), big(3)])).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(await tenantIds(db, 'before')).toEqual(['before']);
    await sql`pragma max_page_count = 1000000`.execute(db);
    await big(4);
  });

  it('reads what is committed while a transaction is open, without waiting for it', async () => {
    const { db } = await open();
    await insert(db, 'old');
    await inTransaction(db, async (tx) => {
      await tx.updateTable('tenants').set({ created_at: 2 }).execute();
      const seen = await db.selectFrom('tenants').select('created_at').execute();
      expect(seen).toEqual([{ created_at: 1 }]);
    });
  });

  it('cannot be written through a select', async () => {
    const { db } = await open();
    await insert(db, 'kept');
    await expect(sql`delete from tenants returning id`.execute(db)).resolves.toMatchObject({ rows: [{ id: 'kept' }] });
    const { count } = await db
      .selectFrom('tenants')
      .select(({ fn }) => fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    expect(count).toBe(0);
  });

  it('rolls back a transaction that stands idle, so that the others go on', async () => {
    const { db } = await open({ idleTransactionMs: 50 });
    const stuck = inTransaction(db, async (tx) => {
      await insert(tx, 'stuck');
      // A write past the transaction waits for the transaction, which waits for it.
      await insert(db, 'other');
      await insert(tx, 'too late');
    });
    const why = { message: expect.stringContaining('idle for 50 ms') };
    await expect(stuck).rejects.toMatchObject({ code: 'unavailable', cause: why });
    expect(await tenantIds(db, '')).toEqual(['other']);
  });

  it('waits for another process that writes, and says unavailable when that takes too long', async () => {
    const first = await open();
    const second = await open({ busyTimeoutMs: 100 });
    await inTransaction(first.db, async (tx) => {
      await insert(tx, 'first');
      await expect(insert(second.db, 'second')).rejects.toMatchObject({ code: 'unavailable' });
      await expect(second.ping()).rejects.toMatchObject({ code: 'unavailable' });
    });
    await insert(second.db, 'second');
    expect(await tenantIds(first.db, '')).toEqual(['first', 'second']);
  });

  it('keeps nested savepoints of a transaction apart', async () => {
    const { db } = await open();
    const transaction = await db.startTransaction().execute();
    await insert(transaction, 'kept');
    const point = await transaction.savepoint('point').execute();
    await insert(point, 'undone');
    await point.rollbackToSavepoint('point').execute();
    await transaction.commit().execute();
    expect(await tenantIds(db, '')).toEqual(['kept']);
  });

  it('works in memory, where reads and writes share one connection', async () => {
    const { db } = await open({}, ':memory:');
    await Promise.all(Array.from({ length: 20 }, (_, n) => inTransaction(db, (tx) => insert(tx, `${n}`))));
    expect(await tenantIds(db, '')).toHaveLength(20);
  });

  it('refuses what is no database, and a directory that is not there, without naming the path', async () => {
    for (const wrong of [directory, path.join(directory, 'nowhere', 'x.db')]) {
      const error = await openSqlite(wrong, {}).catch((caught: Error) => caught);
      expect(error).toMatchObject({ code: 'unavailable' });
      expect(String(error)).not.toContain(directory);
    }
  });

  it('answers what was asked before it closed, and refuses what comes after', async () => {
    const driver = await open();
    const pending = insert(driver.db, 'pending');
    await driver.ping();
    await driver.close();
    await pending;
    await expect(driver.ping()).rejects.toThrow('closed');
    expect(await tenantIds((await open()).db, '')).toEqual(['pending']);
  });

  it('lets the process end while it is open and idle, and not while a write is under way', async () => {
    const script = `
      import { openDatabase } from ${JSON.stringify(new URL('../../src/db/drivers.ts', import.meta.url).href)};
      const { db } = await openDatabase(${JSON.stringify(`sqlite:${file}`)});
      void db.insertInto('tenants').values({ id: 'last', status: 'active', created_at: 1 }).execute();
    `;
    await run(process.execPath, ['--input-type=module', '--eval', script], { timeout: 10_000 });
    expect(await tenantIds((await open()).db, '')).toEqual(['last']);
  });
});
