import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import jsonwebtoken from 'jsonwebtoken';
import { openBearer } from '../../src/auth/bearer.ts';
import { type Links, openLinks } from '../../src/auth/link.ts';
import { systemClock } from '../../src/clock.ts';
import type { Core, Transfer } from '../../src/core/core.ts';
import type { Route } from '../../src/http/call.ts';
import type { Dialect } from '../../src/http/dialect.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { type Metrics, openMetrics } from '../../src/http/metrics.ts';
import { type AppOptions, buildApp } from '../../src/http/serve.ts';
import { openLog } from '../../src/log.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { parsePath } from '../../src/tree/path.ts';
import type { OpenFile } from '../../src/tree/tree.ts';

const SECRET = 'a secret of at least thirty-two bytes';

export interface Frame {
  readonly url: string;
  readonly port: number;
  readonly links: Links;
  readonly metrics: Metrics;
  /** The log's lines so far. */
  readonly lines: () => readonly Record<string, unknown>[];
  /** What was counted so far as somebody's usage. */
  readonly counted: () => readonly Transfer[];
  /** A bearer header of a tenant, with these scopes or the default ones. */
  readonly as: (tenant: string, scope?: string) => { Authorization: string };
  readonly close: (graceMs?: number) => Promise<void>;
}

export interface FrameParts {
  readonly routes: readonly Route[];
  readonly dialect?: Partial<Dialect>;
  readonly dialects?: readonly Dialect[];
  readonly options?: Partial<AppOptions>;
}

/** The frame over a dialect made for a test: real tokens, real sockets; of the core only who may come in, and what is counted. */
export async function startFrame({ routes, dialect, dialects, options }: FrameParts): Promise<Frame> {
  const written: Record<string, unknown>[] = [];
  const log = openLog({ logLevel: 'info' }, { write: (line) => void written.push(JSON.parse(line)) });
  const counted: Transfer[] = [];
  const usage = { count: (transfer: Transfer) => void counted.push(transfer) };
  const core = { tenants: { admit: () => Promise.resolve() }, usage } as unknown as Core;
  const jwt = { secret: SECRET, publicKey: null, jwksUrl: null, issuer: null, audience: null };
  const bearer = openBearer({ jwt, keys: () => Promise.resolve(null), clock: systemClock, log });
  const links = openLinks([{ id: 'k1', secret: SECRET }], systemClock);
  const metrics = openMetrics();
  const closing = new AbortController();
  const own: Dialect = { name: 'own', mounts: [''], routes: () => routes, ...dialect };
  const app = buildApp({
    core,
    dialects: [own, ...(dialects ?? [])],
    bearer,
    links,
    log,
    metrics,
    closing: closing.signal,
    options: { ...DEFAULTS, ...options },
  });
  const listening: Listening = await listen(app, '127.0.0.1', 0);
  return {
    url: `http://127.0.0.1:${listening.port}`,
    port: listening.port,
    links,
    metrics,
    lines: () => written,
    counted: () => counted,
    as: (tenant, scope) => ({ Authorization: `Bearer ${token(tenant, scope)}` }),
    close: (graceMs = 1000) => {
      closing.abort();
      return listening.close(graceMs);
    },
  };
}

const DEFAULTS: AppOptions = {
  jsonMaxBytes: 64 * 1024,
  corsOrigins: [],
  rateLimitPerMinute: 0,
  trustProxy: null,
  publicUrl: null,
  metricsToken: null,
  accelRedirect: null,
};

function token(tenant: string, scope?: string): string {
  return jsonwebtoken.sign({ tenant, ...(scope === undefined ? {} : { scope }) }, SECRET, {
    subject: 'u1',
    expiresIn: '5m',
  });
}

/** A route of a test, public unless it says otherwise. */
export function route(given: Pick<Route, 'method' | 'path' | 'handle'> & Partial<Route>): Route {
  return {
    name: `own.${given.method} ${given.path}`,
    summary: 'a test',
    access: 'public',
    replies: { 200: { description: 'ok' } },
    ...given,
  };
}

/** Sends this text over a socket of its own and resolves with all that comes back. */
export function raw(port: number, text: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}

/** A file on the real disk as the tree would open it, and what became of it. */
export async function fileOf(content: string | Buffer, name = 'a.txt'): Promise<TestFile> {
  const dir = await mkdtemp(join(tmpdir(), 'http-file-'));
  const path = join(dir, 'content');
  await writeFile(path, content);
  const info = await stat(path);
  const state = { open: 0 };
  const entry: Entry = {
    path: parsePath(name),
    kind: 'file',
    size: info.size,
    charged: info.size,
    target: null,
    mode: 0o644,
    modifiedAt: new Date('2026-01-15T10:00:00Z'),
    createdAt: info.birthtime,
    version: 'v1',
    inode: `${info.dev}:${info.ino}`,
    links: 1,
  };
  return { path, entry, state, open: () => openFile(path, entry, state), remove: () => rm(dir, { recursive: true }) };
}

export interface TestFile {
  readonly path: string;
  readonly entry: Entry;
  readonly state: { open: number };
  open(): Promise<OpenFile>;
  remove(): Promise<void>;
}

async function openFile(path: string, entry: Entry, state: { open: number }): Promise<OpenFile> {
  const handle = await open(path, 'r');
  state.open += 1;
  let isOpen = true;
  const close = async () => {
    if (!isOpen) return;
    isOpen = false;
    state.open -= 1;
    await handle.close();
  };
  return {
    entry,
    close,
    bytes: () => handle.readFile(),
    slice: async (start, length) => (await handle.read(Buffer.alloc(length), 0, length, start)).buffer,
    stream(range) {
      const { start, end } = range ?? { start: 0, end: entry.size - 1 };
      const source = handle.createReadStream({ start, end, autoClose: false });
      const out = new PassThrough();
      source.on('error', (error) => out.destroy(error));
      out.on('close', () => void close());
      return source.pipe(out);
    },
  };
}

/** A stream of this many bytes that makes them as they are taken. */
export function bytesOf(count: number): Readable {
  let left = count;
  return new Readable({
    read() {
      const size = Math.min(left, 64 * 1024);
      left -= size;
      this.push(size === 0 ? null : Buffer.alloc(size, 0x61));
    },
  });
}
