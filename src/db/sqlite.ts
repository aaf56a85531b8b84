import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteQueryCompiler,
  sql,
} from 'kysely';
import { FsError } from '../errors.ts';
import type { ColumnTypes, OpenedDriver, OpenOptions } from './driver.ts';
import { translated } from './failures.ts';
import type { Schema } from './schema.ts';
import { SqliteThread } from './sqlite-thread.ts';
import { MEMORY, type Result, type ThreadData, type WriterStats } from './sqlite-wire.ts';

const BUSY_TIMEOUT_MS = 10_000;
const IDLE_TRANSACTION_MS = 30_000;

const COLUMN_TYPES: ColumnTypes = {
  text: sql`text`,
  integer: sql`integer`,
  bytes: sql`blob`,
  // Rows lie in the order of their primary key, which is text here, so a second tree for row ids would only cost.
  tableEnd: sql`strict, without rowid`,
};

/** What a connection to SQLite offers beyond the common database. */
export interface SqliteDriver extends OpenedDriver {
  /** Counts of the writer, to see how well commits are grouped. */
  stats(): Promise<WriterStats>;
}

/**
 * Opens a SQLite file (or `:memory:`) in threads of its own: no read, lock or flush ever waits on the event loop. Writes share
 * commits (see sqlite-group.ts); selects outside a transaction go to a second connection and see only what is committed.
 * @throws unavailable where the file cannot be opened
 */
export async function openSqlite(path: string, options: OpenOptions): Promise<SqliteDriver> {
  const data: Omit<ThreadData, 'role'> = {
    path,
    durability: options.durability ?? 'fsync',
    busyTimeoutMs: options.busyTimeoutMs ?? BUSY_TIMEOUT_MS,
    idleTransactionMs: options.idleTransactionMs ?? IDLE_TRANSACTION_MS,
  };
  const [writer, reader] = await openThreads(data, options.onError ?? (() => {}));
  const db = new Kysely<Schema>({ dialect: dialectOf(writer, reader) });
  return {
    db,
    shared: false,
    types: COLUMN_TYPES,
    // Every transaction that writes is IMMEDIATE, and that is a lock across processes.
    lockSchema: async () => undefined,
    // The reader first: whoever closes last folds the log into the file.
    close: async () => {
      await db.destroy();
      await reader.close();
      await writer.close();
    },
    // Through the writer too, in its turn: it may be stuck behind another process or a disk that the reader does not need.
    ping: async () => {
      const ask = { kind: 'run', sql: 'select 1', parameters: [] } as const;
      await translated(Promise.all([reader.call(ask), writer.call(ask)]));
    },
    stats: async () => (await writer.call({ kind: 'stats' })).rows[0] as WriterStats,
  };
}

async function openThreads(
  data: Omit<ThreadData, 'role'>,
  onLost: (error: Error) => void,
): Promise<readonly [SqliteThread, SqliteThread]> {
  const writer = new SqliteThread({ ...data, role: 'writer' }, onLost);
  // A database in memory belongs to its one connection.
  const reader = data.path === MEMORY ? writer : new SqliteThread({ ...data, role: 'reader' }, onLost);
  try {
    await Promise.all([writer.opened(), reader.opened()]);
  } catch (error) {
    await Promise.all([writer.close(), reader.close()]);
    const help = 'see that it is a database of this program, on a local disk, in a directory that may be written';
    throw new FsError('unavailable', `the metadata database cannot be opened; ${help}`, {}, error);
  }
  return [writer, reader];
}

function dialectOf(writer: SqliteThread, reader: SqliteThread): Dialect {
  return {
    createAdapter: (): DialectAdapter => ({
      supportsReturning: true,
      supportsTransactionalDdl: true,
      // Connections are only routes to the two threads, so there is no need to wait for one.
      supportsMultipleConnections: true,
      // Kysely's own migrator is not used: see migrate.ts.
      acquireMigrationLock: async () => undefined,
      releaseMigrationLock: async () => undefined,
    }),
    createDriver: () => driverOf(writer, reader),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: () => {
      throw new Error('this database is described by its migrations, not by introspection');
    },
  };
}

function driverOf(writer: SqliteThread, reader: SqliteThread): Driver {
  let lastTransaction = 0;
  const open = new WeakMap<DatabaseConnection, Connection>();
  const of = (connection: DatabaseConnection): Connection => {
    const known = open.get(connection);
    if (known === undefined) throw new Error('the connection is not one of this driver');
    return known;
  };
  const raw = (connection: DatabaseConnection, text: string) => connection.executeQuery(CompiledQuery.raw(text));
  return {
    init: async () => undefined,
    acquireConnection: async () => {
      const connection = new Connection(writer, reader);
      open.set(connection, connection);
      return connection;
    },
    beginTransaction: async (connection) => {
      lastTransaction += 1;
      of(connection).begin(lastTransaction);
    },
    commitTransaction: (connection) => of(connection).end('commit'),
    rollbackTransaction: (connection) => of(connection).end('rollback'),
    savepoint: async (connection, name) => void (await raw(connection, `savepoint "${name}"`)),
    rollbackToSavepoint: async (connection, name) => void (await raw(connection, `rollback to "${name}"`)),
    releaseSavepoint: async (connection, name) => void (await raw(connection, `release "${name}"`)),
    releaseConnection: async () => undefined,
    destroy: async () => undefined,
  };
}

class Connection implements DatabaseConnection {
  readonly #writer: SqliteThread;
  readonly #reader: SqliteThread;
  #tx: number | null = null;

  constructor(writer: SqliteThread, reader: SqliteThread) {
    this.#writer = writer;
    this.#reader = reader;
  }

  /** Only says so: the first statement waits for its turn, which saves a round trip. */
  begin(tx: number): void {
    this.#tx = tx;
    this.#writer.post({ kind: 'begin', tx });
  }

  async end(kind: 'commit' | 'rollback'): Promise<void> {
    const tx = this.#tx;
    this.#tx = null;
    if (tx !== null) await translated(this.#writer.call({ kind, tx }));
  }

  async executeQuery<R>({ sql: text, parameters, query }: CompiledQuery): Promise<QueryResult<R>> {
    const statement = { sql: text, parameters };
    if (this.#tx !== null)
      return asQueryResult(await translated(this.#writer.call({ kind: 'step', tx: this.#tx, ...statement })));
    const thread = query.kind === 'SelectQueryNode' ? this.#reader : this.#writer;
    return asQueryResult(await translated(thread.call({ kind: 'run', ...statement })));
  }

  // biome-ignore lint/correctness/useYield: there is nothing to yield, it only refuses
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('results are not streamed: ask for them page by page');
  }
}

function asQueryResult<R>({ rows, changes }: Result): QueryResult<R> {
  // The rows are what the query's type says they are: that is Kysely's own promise at this edge.
  return { rows: rows as R[], ...(changes === undefined ? {} : { numAffectedRows: BigInt(changes) }) };
}
