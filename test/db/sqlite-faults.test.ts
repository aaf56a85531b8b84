import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { migrate } from '../../src/db/migrate.ts';
import { openSqlite, type SqliteDriver } from '../../src/db/sqlite.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import { row, tenantIds } from '../contract/database/rows.ts';
import { until } from '../support/wait.ts';

/** The two threads of a driver, in the order in which a ping asks them. */
function threadsOf(driver: SqliteDriver): { readonly reader: Worker; readonly writer: Worker } {
  const asked: Worker[] = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (this: Worker, message: unknown) {
    asked.push(this);
    postMessage.call(this, message);
  };
  try {
    // Asks before its first await; whether it is answered is not this function's matter.
    driver.ping().catch(() => undefined);
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
  const [reader, writer] = asked;
  if (reader === undefined || writer === undefined) throw new Error('a ping asks two threads');
  return { reader, writer };
}

/** Ends a thread by an error that nothing in it catches: no request is null. */
function endThread(driver: SqliteDriver, role: 'writer' | 'reader'): void {
  threadsOf(driver)[role].postMessage(null);
}

describe('a SQLite thread that ends by itself', () => {
  const errors: Error[] = [];
  let directory: string;
  let driver: SqliteDriver;
  const open = async (file: string) => {
    driver = await openSqlite(file, { durability: 'none', onError: (error) => errors.push(error) });
    await migrate(driver);
  };
  const insert = (db: SqliteDriver['db'], id: string) => db.insertInto('tenants').values(row(id)).execute();
  const lost = async (role: 'writer' | 'reader') => {
    endThread(driver, role);
    await until(() => errors.length === 1, 'the loss is told');
  };

  beforeEach(async () => {
    errors.length = 0;
    directory = await mkdtemp(path.join(tmpdir(), 'workspaced-faults-'));
    await open(path.join(directory, 'test.db'));
  });
  afterEach(async () => {
    await driver.close();
    await rm(directory, { recursive: true });
  });

  it.each(['writer', 'reader'] as const)('is told of, and the next call opens another (%s)', async (role) => {
    await insert(driver.db, 'before');
    await lost(role);
    expect(errors).toMatchObject([{ code: 'unavailable', cause: { message: expect.stringContaining('null') } }]);
    await driver.ping();
    await insert(driver.db, 'after');
    expect(await tenantIds(driver.db, '')).toEqual(['after', 'before']);
    expect(errors).toHaveLength(1);
  });

  it('undoes the transaction that was open, says unavailable to it, and keeps nobody out', async () => {
    const cut = inTransaction(driver.db, async (tx) => {
      await insert(tx, 'cut');
      await lost('writer');
      await insert(driver.db, 'other');
      await insert(tx, 'off');
    });
    await expect(cut).rejects.toMatchObject({ code: 'unavailable' });
    expect(await tenantIds(driver.db, '')).toEqual(['other']);
  });

  it('says unavailable to every call that waits for it', async () => {
    const open = await driver.db.startTransaction().execute();
    await insert(open, 'open');
    const calls = [insert(driver.db, 'waiting'), driver.ping()];
    const refused = calls.map((call) => expect(call).rejects.toMatchObject({ code: 'unavailable' }));
    await lost('writer');
    await Promise.all(refused);
    await open.rollback().execute();
    expect(await tenantIds(driver.db, '')).toEqual([]);
  });

  it('says so for good where the database was in memory', async () => {
    await driver.close();
    await open(':memory:');
    await lost('writer');
    for (const call of [driver.ping(), insert(driver.db, 'x'), inTransaction(driver.db, (tx) => insert(tx, 'x'))]) {
      await expect(call).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('restart') });
    }
  });
});
