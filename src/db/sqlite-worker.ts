import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { CommitGroup } from './sqlite-group.ts';
import { type Reply, type Request, type Result, type Statement, type ThreadData, toWireError } from './sqlite-wire.ts';

/** The body of a SQLite thread: everything that can wait for the disk or another process happens here. */

const STATEMENTS_KEPT = 256;
const RETRY_MS = 10;

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
  const opened = new Sqlite(path, { timeout: busyTimeoutMs });
  // Two processes that open a new file at once collide here without SQLite waiting by itself.
  untilFree(busyTimeoutMs, () => opened.pragma('journal_mode = WAL'));
  opened.pragma(`synchronous = ${durability === 'fsync' ? 'FULL' : 'OFF'}`);
  opened.pragma('foreign_keys = ON');
  if (role === 'reader') opened.pragma('query_only = ON');
  return opened;
}

function untilFree(waitMs: number, use: () => void): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; ; waited += RETRY_MS) {
    try {
      use();
      return;
    } catch (error) {
      if (waited >= waitMs || !toWireError(error).code.startsWith('SQLITE_BUSY')) throw error;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
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
  let closing: number | null = null;
  const accept = (request: Request): void => {
    if (request.kind === 'close') closing = request.id;
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
      exec: (sql) => void run({ sql, parameters: [] }),
      inTransaction: () => database.inTransaction,
    },
    reply: (id, outcome) => reply({ id, ...outcome }),
    drain,
    idleTransactionMs: data.idleTransactionMs,
  });
  from.on('message', (request: Request) => {
    accept(request);
    group.work();
    if (closing === null) return;
    group.close();
    close(closing);
  });
}

function close(id: number): void {
  database.close();
  reply({ id });
  port?.close();
}
