import {
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresQueryCompiler,
  sql,
} from 'kysely';
import pg from 'pg';
import type { ColumnTypes, OpenedDriver, OpenOptions } from './driver.ts';
import { translated } from './failures.ts';
import type { Database, Schema } from './schema.ts';

const MAX_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 10_000;
const IDLE_TRANSACTION_MS = 30_000;

/**
 * Every list has an index in its own order, of which a page reads the beginning. Of a table that has grown since it was last looked
 * at, PostgreSQL takes the list for short: it would read all of it by a bitmap and sort that.
 */
const IN_ORDER = '-c enable_bitmapscan=off';

/** Any number that no other program uses in the same database. */
const SCHEMA_LOCK = 7_340_111;

const COLUMN_TYPES: ColumnTypes = {
  // "C" compares bytes: the order of paths and the range of a directory are then the same as in SQLite.
  text: sql`text collate "C"`,
  integer: sql`bigint`,
  bytes: sql`bytea`,
  tableEnd: sql``,
};

/** Sizes and times are below 2^53, so they may be numbers; `sum` of them is numeric. */
const AS_NUMBER: ReadonlySet<number> = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

/** Opens a pool of connections. Nothing is reached before the first query. */
export async function openPostgres(url: string, options: OpenOptions): Promise<OpenedDriver> {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'workspaced',
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: options.busyTimeoutMs ?? LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: options.idleTransactionMs ?? IDLE_TRANSACTION_MS,
    keepAlive: true,
    options: IN_ORDER + (options.durability === 'none' ? ' -c synchronous_commit=off' : ''),
    types: { getTypeParser: parserOf },
  });
  // Without a listener a stopped server would end this process. The pool listens only while a connection is idle, and
  // repeats what it heard; it opens new connections by itself.
  pool.on('connect', (client) => client.on('error', (error) => options.onError?.(error)));
  pool.on('error', () => {});
  const db = new Kysely<Schema>({ dialect: dialectOf(pool) });
  return {
    db,
    shared: true,
    types: COLUMN_TYPES,
    lockSchema,
    close: () => db.destroy(),
    ping: async () => void (await sql`select 1`.execute(db)),
  };
}

/** Held until the transaction ends: a lock given back before the commit would let another in that sees no tables yet. */
async function lockSchema(tx: Database): Promise<void> {
  const noLimit = sql`set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)`;
  await sql`select ${noLimit}`.execute(tx);
  await sql`select pg_advisory_xact_lock(${sql.lit(SCHEMA_LOCK)})`.execute(tx);
}

function parserOf(oid: number, format?: 'text' | 'binary') {
  return AS_NUMBER.has(oid) && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format);
}

function dialectOf(pool: pg.Pool): Dialect {
  const dialect = new PostgresDialect({ pool });
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => translating(dialect.createDriver()),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

/** Foreign errors are translated where they enter: at the connection. */
function translating(driver: Driver): Driver {
  const seen = new WeakSet<DatabaseConnection>();
  const acquire = driver.acquireConnection.bind(driver);
  driver.acquireConnection = async (options) => {
    const connection = await translated(acquire(options));
    if (!seen.has(connection)) {
      seen.add(connection);
      const execute = connection.executeQuery.bind(connection);
      connection.executeQuery = (query, how) => translated(execute(query, how));
    }
    return connection;
  };
  return driver;
}
