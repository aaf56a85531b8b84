import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { CommitGroup } from './sqlite-group.ts';
import { type Reply, type Request, type Result, type Statement, type ThreadData, toWireError } from './sqlite-wire.ts';

/** The body of a SQLite thread: everything that can wait for the disk or another process happens here. */

const STATEMENTS_KEPT = 256;
/** How often a lock that another process holds is tried. SQLite itself waits up to 100 ms between tries and starves under load. */
const RETRY_MS = 1;
/** A gap in which a process that tries so often gets the lock, after a group that was ended because it was full. */
const GAP_MS = 0.2;

const port = parentPort;
if (port === null) throw new Error('sqlite-worker runs as a worker thread');
const data = workerData as ThreadData;
const database = openFile(data);
const statements = new LRUCache<string, Sqlite.Statement<unknown[]>>({ max: STATEMENTS_KEPT });
const reply = (answer: Reply): void => port.postMessage(answer);

if (data.role === 'reader') port.on('message', read);
else writeTo(port);
reply({ id: 0 });

function openFile({ path, role, durability, busyTimeoutMs }: ThreadData): Sqlite.Database {
  const opened = new Sqlite(path, { timeout: role === 'reader' ? busyTimeoutMs : 0 });
  // Two processes that open a new file at once collide here without SQLite waiting by itself.
  untilFree(busyTimeoutMs, () => opened.pragma('journal_mode = WAL'));
  opened.pragma(`synchronous = ${durability === 'fsync' ? 'FULL' : 'OFF'}`);
  opened.pragma('foreign_keys = ON');
  if (role === 'reader') opened.pragma('query_only = ON');
  return opened;
}

function untilFree(waitMs: number, use: () => void): void {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    try {
      use();
      return;
    } catch (error) {
      if (performance.now() >= giveUpAt || !toWireError(error).code.startsWith('SQLITE_BUSY')) throw error;
      // Not always the same pace, or two processes could miss each other's gaps forever.
      pause(RETRY_MS * (0.5 + Math.random()));
    }
  }
}

/** Stops this thread, and no other. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function run({ sql, parameters }: Statement): Result {
  let statement = statements.get(sql);
  if (statement === undefined) {
    statement = database.prepare<unknown[]>(sql);
    statements.set(sql, statement);
  }
  if (statement.reader) return { rows: statement.all(...parameters) };
  return { rows: [], changes: statement.run(...parameters).changes };
}

function read(request: Request): void {
  if (request.kind === 'close') close(request.id);
  if (request.kind !== 'run') return;
  try {
    reply({ id: request.id, result: run(request) });
  } catch (error) {
    reply({ id: request.id, error: toWireError(error) });
  }
}

function writeTo(from: NonNullable<typeof parentPort>): void {
  const accept = (request: Request): void => {
    if (request.kind === 'close') setImmediate(finish, request.id);
    else if (request.kind === 'stats') reply({ id: request.id, result: { rows: [group.stats] } });
    else group.accept(request);
  };
  const drain = (): void => {
    for (let next = receiveMessageOnPort(from); next !== undefined; next = receiveMessageOnPort(from))
      accept(next.message);
  };
  const group = new CommitGroup({
    connection: {
      run,
      // IMMEDIATE: a transaction that reads first and then writes would fail at once with BUSY_SNAPSHOT.
      begin: () => untilFree(data.busyTimeoutMs, () => run({ sql: 'begin immediate', parameters: [] })),
      exec: (sql) => void run({ sql, parameters: [] }),
      letOthersIn: () => pause(GAP_MS),
      inTransaction: () => database.inTransaction,
    },
    reply: (id, outcome) => reply({ id, ...outcome }),
    drain,
    idleTransactionMs: data.idleTransactionMs,
    now: () => performance.now(),
  });
  from.on('message', (request: Request) => {
    accept(request);
    group.work();
  });
  // After everything that was sent before it has had its turn.
  function finish(id: number): void {
    group.close();
    close(id);
  }
}

function close(id: number): void {
  database.close();
  reply({ id });
  port?.close();
}
