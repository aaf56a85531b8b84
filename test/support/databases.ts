import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { openDatabase } from '../../src/db/drivers.ts';

/** A fresh, migrated, empty database of one test. */
export interface TestDatabase {
  /** For `openDatabase`, as often as the test wants. */
  readonly url: string;
  /** Removes it, after everything that opened it was closed. */
  drop(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: string;
  create(): Promise<TestDatabase>;
}

const TEMPLATE = 'workspaced_template';
const TEMPLATE_LOCK = 7_340_112;

/** For what is the same on every database. */
export const SQLITE: DatabaseKind = { name: 'sqlite', create: createSqlite };

const ALL: readonly DatabaseKind[] = [SQLITE, { name: 'postgres', create: createPostgres }];

/** Every kind of database, or those that DATABASES=sqlite,postgres names. */
export const DATABASES: readonly DatabaseKind[] = chosen(process.env.DATABASES);

function chosen(names: string | undefined): readonly DatabaseKind[] {
  if (names === undefined) return ALL;
  const kinds = names.split(',').map((name) => ALL.find((kind) => kind.name === name));
  return kinds.map((kind) => {
    if (kind === undefined)
      throw new Error(`DATABASES=${names}: choose from ${ALL.map(({ name }) => name).join(', ')}`);
    return kind;
  });
}

async function createSqlite(): Promise<TestDatabase> {
  const directory = await mkdtemp(path.join(tmpdir(), 'workspaced-sqlite-'));
  return {
    url: `sqlite:${path.join(directory, 'test.db')}`,
    drop: () => rm(directory, { recursive: true, force: true }),
  };
}

async function createPostgres(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(async (client) => {
    // One test file migrates the template; to copy it is much faster than to migrate again.
    await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [TEMPLATE]);
    if (rowCount === 0) await makeTemplate(client);
    await client.query(`create database ${name} template ${TEMPLATE} strategy file_copy`);
  });
  return {
    url: await databaseUrl(name),
    drop: () => administer(async (client) => void (await client.query(`drop database ${name} with (force)`))),
  };
}

/** Under another name first, so that one cut short is not taken for whole. */
async function makeTemplate(client: pg.Client): Promise<void> {
  const draft = `draft_${randomBytes(8).toString('hex')}`;
  await client.query(`create database ${draft}`);
  const opened = await openDatabase(await databaseUrl(draft));
  await opened.close();
  await client.query(`alter database ${draft} rename to ${TEMPLATE}`);
}

async function administer(use: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: await serverUrl() });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

async function databaseUrl(name: string): Promise<string> {
  const url = new URL(await serverUrl());
  url.pathname = `/${name}`;
  return url.href;
}

/** Asks the test run for its server (postgres-server.ts), which starts it for the first who does. */
async function serverUrl(): Promise<string> {
  const address = process.env.TEST_POSTGRES_SOCKET;
  if (address === undefined) throw new Error('no PostgreSQL is offered: run the tests through jest (global-setup.ts)');
  const answer: { url?: string; error?: string } = JSON.parse(await text(createConnection(address)));
  if (answer.url === undefined) throw new Error(answer.error);
  return answer.url;
}
