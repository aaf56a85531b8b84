import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { startDaemon } from '../../src/daemon.ts';
import { openDatabase } from '../../src/db/drivers.ts';
import { openLog } from '../../src/log.ts';
import type { DatabaseKind } from '../support/databases.ts';
import { type DaemonProcess, startProcess, TEST_SECRET, token } from '../support/process.ts';
import { Book, type Line, TENANT, type Told } from './book.ts';
import { MAX_STORE_BYTES, play, treeOf } from './workload.ts';

interface Moved {
  readonly uploads: number;
  readonly downloads: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

/** Whose objects and workspaces they are in the end: the run made a1 a workspace of its user. */
const WORKSPACES: Readonly<Record<string, string>> = { a1: 'u1', w2: 'u2' };
const ENV = {
  LOG_LEVEL: 'info',
  DURABILITY: 'none',
  NODE_ENV: 'production',
  STORE_MAX_FILE_BYTES: String(MAX_STORE_BYTES),
};
const NOBODY = { user: undefined, agent: undefined };

/** Plays the workload, and holds every figure of the account against the disk, the objects and the access log. */
export async function expectAccount(kind: DatabaseKind, workers: number): Promise<void> {
  const database = await kind.create();
  const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-usage-'));
  const env = { ...ENV, DATABASE_URL: database.url, WORKERS: String(workers) };
  try {
    const first = await (workers === 1 ? startHere(dataDir, env) : startProcess(dataDir, env));
    const book = new Book(first);
    const lines = await play(book, dataDir)
      .then(() => book.lines())
      .finally(() => first.stop());
    expectTheLog(book, lines);
    // What was not written down yet was written when it stopped: another daemon knows all of it.
    const second = await startHere(dataDir, { ...env, WORKERS: '1' });
    await expectUsage(second, { book, lines, dataDir, url: database.url }).finally(() => second.stop());
  } finally {
    await rm(dataDir, { recursive: true });
    await database.drop();
  }
}

type Running = Told & Pick<DaemonProcess, 'stop'>;

/** The daemon in this process, with its log. */
async function startHere(dataDir: string, env: Readonly<Record<string, string>>): Promise<Running> {
  const printed: string[] = [];
  const config = readConfig({ DATA_DIR: dataDir, PORT: '0', JWT_SECRET: TEST_SECRET, DISK_RESERVE_BYTES: '0', ...env });
  const log = openLog(config, { write: (line) => void printed.push(line) });
  const daemon = await startDaemon(config, { log });
  return {
    url: daemon.url,
    output: () => printed.join(''),
    stop: async () => {
      await daemon.close();
      return 0;
    },
  };
}

/** Each line says what the client saw of its request, and what was noted of it. */
function expectTheLog(book: Book, lines: readonly Line[]): void {
  const byId = new Map(lines.map((line) => [line.requestId, line]));
  for (const { id, tenant, sent, received, user, agent, uploads, downloads } of book.entries) {
    const line = byId.get(id);
    const whole = { ...(sent === null ? {} : { bytesIn: sent }), ...(received === null ? {} : { bytesOut: received }) };
    expect(line).toMatchObject({ ...whole, status: expect.any(Number) });
    const told = { tenant: line?.tenant, user: line?.user, agent: line?.agent };
    expect({ id, route: line?.route, ...told }).toEqual({
      id,
      route: line?.route,
      tenant: tenant ?? undefined,
      user,
      agent,
    });
    const counted = { uploads: line?.uploads, downloads: line?.downloads };
    expect({ id, route: line?.route, ...counted }).toEqual({ id, route: line?.route, uploads, downloads });
  }
}

interface Evidence {
  readonly book: Book;
  readonly lines: readonly Line[];
  readonly dataDir: string;
  readonly url: string;
}

async function expectUsage(daemon: Told, { book, lines, dataDir, url }: Evidence): Promise<void> {
  const held = await heldBy(dataDir, url);
  // The tenant first: each question is itself a request of the tenant, and of nobody in particular.
  expect(await ask(daemon, '')).toMatchObject({ ...held(NOBODY), reserved_bytes: 0, ...movedBy(book, lines, NOBODY) });
  for (const user of ['u1', 'u2']) {
    expect([user, await ask(daemon, `?userId=${user}`)]).toEqual([
      user,
      expect.objectContaining({ ...held({ user }), ...movedBy(book, lines, { user }) }),
    ]);
  }
  for (const agent of ['a1', 'w2', 'ghost']) {
    expect([agent, await ask(daemon, `?agentId=${agent}`)]).toEqual([
      agent,
      expect.objectContaining({ ...held({ agent }), ...movedBy(book, lines, { agent }) }),
    ]);
  }
  const both = { user: 'u1', agent: 'a1' };
  expect(await ask(daemon, '?userId=u1&agentId=a1')).toMatchObject({ ...held(both), ...movedBy(book, lines, both) });
}

async function ask(daemon: Told, question: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${token({ tenant: TENANT })}` };
  const answer = await fetch(`${daemon.url}/v1/usage${question}`, { headers });
  if (!answer.ok) throw new Error(`${question}: ${answer.status}`);
  return answer.json();
}

interface Whose {
  readonly user?: string | undefined;
  readonly agent?: string | undefined;
}

/** What was noted of somebody's requests, and the bytes that the log has of them. */
function movedBy(book: Book, lines: readonly Line[], { user, agent }: Whose): Moved {
  const notes = book.entries.filter(
    (entry) =>
      entry.tenant === TENANT &&
      (user === undefined || entry.user === user) &&
      (agent === undefined || entry.agent === agent),
  );
  const ids = new Set(notes.map(({ id }) => id));
  const own = lines.filter(({ requestId }) => ids.has(requestId));
  const sum = (values: readonly (number | undefined)[]) => values.reduce<number>((all, value) => all + (value ?? 0), 0);
  return {
    uploads: sum(notes.map(({ uploads }) => uploads)),
    downloads: sum(notes.map(({ downloads }) => downloads)),
    bytes_in: sum(own.map(({ bytesIn }) => bytesIn)),
    bytes_out: sum(own.map(({ bytesOut }) => bytesOut)),
  };
}

interface Held {
  readonly bytes: number;
  readonly files: number;
}

/** Walks the trees, and reads the table of objects. */
async function heldBy(dataDir: string, url: string): Promise<(whose: Whose) => Held> {
  const { db, close } = await openDatabase(url);
  const columns = ['size', 'user_id', 'agent_id'] as const;
  const rows = await db
    .selectFrom('objects')
    .select(columns)
    .where('tenant', '=', TENANT)
    .where('status', '=', 'uploaded')
    .execute();
  await close();
  const store = await walk(treeOf(dataDir, 'store'));
  const workspaces = new Map<string, Held>();
  for (const agent of Object.keys(WORKSPACES)) workspaces.set(agent, await walk(treeOf(dataDir, { agent })));
  return ({ user, agent }) => {
    const objects = rows.filter(
      (row) => (user === undefined || row.user_id === user) && (agent === undefined || row.agent_id === agent),
    );
    const trees = [...workspaces].filter(
      ([name]) => (user === undefined || WORKSPACES[name] === user) && (agent === undefined || name === agent),
    );
    const all = [
      ...objects.map(({ size }) => ({ bytes: Number(size), files: 1 })),
      ...trees.map(([, tree]) => tree),
      ...(user === undefined && agent === undefined ? [store] : []),
    ];
    return all.reduce((one, other) => ({ bytes: one.bytes + other.bytes, files: one.files + other.files }), {
      bytes: 0,
      files: 0,
    });
  };
}

async function walk(tree: string): Promise<Held> {
  let [bytes, files] = [0, 0];
  for (const name of await readdir(tree, { recursive: true })) {
    const info = await lstat(join(tree, name));
    files += 1;
    if (info.isFile()) bytes += Math.min(info.size, info.blocks * 512);
  }
  return { bytes, files };
}
