import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Actor, actor, type Sent } from '../support/actor.ts';
import { type DaemonProcess, startProcess, token } from '../support/process.ts';
import { surface } from '../support/surface.ts';

/** What a daemon says, in answers and in its log, while everything that can be wrong is. */
const TOKEN = token({
  tenant: 'acme',
  scope:
    'store:read store:write workspace:read workspace:write files:read files:write runs:read runs:write usage:read admin',
});
let dataDir: string;
let daemon: DaemonProcess;
let ann: Actor;

beforeAll(async () => {
  dataDir = join(await mkdtemp(join(tmpdir(), 'workspaced-leak-')), 'root');
  daemon = await startProcess(dataDir, { LOG_LEVEL: 'trace', DURABILITY: 'none' });
  ann = actor(daemon.url, TOKEN);
  await ann.makesAgent('a1');
  await ann.writes('a1', 'file', 'x');
  await ann.stores('file', 'x');
});
afterAll(async () => {
  await daemon.kill();
  await rm(join(dataDir, '..'), { recursive: true, force: true });
});

const TEXTS = [
  "'",
  '"; drop table agents; --',
  '%',
  '..',
  '/etc/passwd',
  'a\0',
  '\ud800',
  'x'.repeat(5000),
  '{',
  'null',
  '-1',
  '1e999',
  '',
];
const VALUES: readonly unknown[] = [
  ...TEXTS,
  null,
  0,
  -1,
  1e308,
  true,
  [],
  {},
  [[]],
  { $gt: '' },
  [null],
  [{ path: '..' }],
];
const FIELDS = [
  ...[
    'path',
    'src_path',
    'dst_path',
    'source',
    'destination',
    'source_b64',
    'operations',
    'content',
    'encoding',
    'permissions',
  ],
  ...[
    'files',
    'inputs',
    'capture',
    'user_id',
    'session_id',
    'agent_id',
    'timeout_seconds',
    'status',
    'quota_bytes',
    'expires_after',
  ],
  ...['scope', 'agent', 'tags', 'metadata', 'modified_at', 'purpose', 'filename', 'on_conflict', 'lifecycle'],
];
const QUERIES = [
  'path',
  'cursor',
  'limit',
  'path_b64',
  'offset',
  'depth',
  'expiresIn',
  'userId',
  'runId',
  'agentId',
  'recursive',
  'seeded_cursor',
  'dry_run',
];

/** The same choices every time: a failure can be looked for again. */
function chooser(seed: number): <T>(from: readonly T[]) => T {
  let state = seed;
  return (from) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return from[Math.floor((state / 2_147_483_648) * from.length)] as (typeof from)[number];
  };
}

function wrongRequest(pick: ReturnType<typeof chooser>, method: string, path: string): readonly [string, Sent] {
  const word = () => encodeURIComponent(pick([...TEXTS, 'a1', 'file', 'acme']).toWellFormed());
  const target = path.replace('{/*path}', `/${word()}`).replace(/:\w+/g, () => pick([word(), 'a1', 'acme']) || 'x');
  const query = `${pick(QUERIES)}=${word()}&${pick(QUERIES)}=${word()}`;
  const json = Object.fromEntries([0, 1, 2].map(() => [pick(FIELDS), pick(VALUES)]));
  const body: Sent = pick([
    { json },
    { json: pick(VALUES) },
    { raw: '{"a":' },
    { form: [{ name: pick(FIELDS), value: 'x' }] },
    {},
  ]);
  const headers = pick<Record<string, string>>([
    {},
    { 'if-match': '"a' },
    { range: 'bytes=9-1' },
    { 'content-encoding': 'gzip' },
    { 'content-type': 'text/x' },
  ]);
  return [`${method} ${target}?${query}`, method === 'GET' ? { headers } : { ...body, headers }];
}

describe('an answer', () => {
  it('never holds a path of the host, SQL or a stack, whatever was wrong with the request', async () => {
    const pick = chooser(20_260_115);
    // The first tells a host path, to an admin; after the others there would be nothing left to ask.
    const left = new Set(['agents.mount', 'agents.delete', 'admin.deleteTenant']);
    // A stream of events has no end to wait for.
    const routes = surface().filter(({ route }) => !left.has(route.name) && !route.name.endsWith('.events'));
    const statuses = new Set<number>();
    for (let round = 0; round < 1500; round += 1) {
      const { route, path } = pick(routes);
      const [call, sent] = wrongRequest(pick, route.method, path);
      const answer = await ann.does(call, sent);
      statuses.add(answer.status);
      const told =
        /\bSELECT\b|\bINSERT\b|constraint|sqlite|SQLITE|kysely|node_modules|node:internal|\.ts:\d+|\bat \S+ \(|E[A-Z]{3,}:/.exec(
          answer.text,
        )?.[0];
      const leak = answer.text.includes(dataDir) ? dataDir : told;
      expect({ call, leak }).toEqual({ call, leak: undefined });
      expect({ call, status: answer.status === 500 ? answer.text : '' }).toEqual({ call, status: '' });
    }
    expect([...statuses].filter((status) => status >= 400).length).toBeGreaterThan(3);
  });

  it('has the headers that keep browsers harmless, also where it is an error', async () => {
    for (const call of [
      'GET /nowhere',
      'GET /v1/files',
      'GET /agent/a1/filesystem/files/file?raw=true',
      'DELETE /healthz',
      'GET /signed/files/x?token=y',
    ]) {
      const { headers } = await ann.does(call, { headers: { origin: 'https://evil.example' } });
      expect([call, headers]).toEqual([
        call,
        expect.objectContaining({
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'content-security-policy': expect.any(String),
        }),
      ]);
      expect([call, headers['access-control-allow-origin'], headers['x-powered-by']]).toEqual([
        call,
        undefined,
        undefined,
      ]);
    }
  });

  it('takes nothing from forwarding headers', async () => {
    const forwarded = {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '127.0.0.1',
      forwarded: 'host=evil.example',
    };
    const { id } = await ann.uploads('f', 'x');
    const { body } = await ann.does(`GET /v1/files/${id}/url`, { headers: forwarded });
    expect((body as { url: string }).url.startsWith(daemon.url)).toBe(true);
  });
});

describe('files that could run scripts in a browser', () => {
  it.each([
    ['page.html', '<script>alert(1)</script>'],
    ['drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'],
    ['data.xml', '<?xml version="1.0"?><?xml-stylesheet href="x.xsl"?><a/>'],
    ['page.xhtml', '<html xmlns="http://www.w3.org/1999/xhtml"><script/></html>'],
    ['paper.pdf', '%PDF-1.7\n'],
    ['code.js', 'alert(1)'],
    ['image.png', '<script>alert(1)</script>'],
    ['notes.txt', '<!doctype html><script>alert(1)</script>'],
  ])('%s is never shown as what it could be', async (name, content) => {
    const { id } = await ann.uploads(name, content);
    await ann.writes('a1', name, content);
    const { body } = await ann.does(`GET /v1/files/${id}/url`);
    const signed = new URL((body as { url: string }).url);
    for (const call of [
      `GET /v1/files/${id}/content`,
      `GET ${signed.pathname}${signed.search}`,
      `GET /agent/a1/filesystem/files/${name}?raw=true`,
    ]) {
      const { headers } = await ann.does(call);
      expect(headers['x-content-type-options']).toBe('nosniff');
      const isAttachment = String(headers['content-disposition']).startsWith('attachment');
      const isInert = /^(text\/plain|image\/png)\b/.test(String(headers['content-type']));
      expect([call, isAttachment || isInert]).toEqual([call, true]);
      if (isAttachment) expect(headers['content-security-policy']).toMatch(/^sandbox/);
    }
  });
});

describe('the log', () => {
  it('at its most talkative holds no token, no key and no signed query', async () => {
    const { id } = await ann.uploads('f', 'x');
    const { body } = await ann.does(`GET /v1/files/${id}/url`);
    const { pathname, search } = new URL((body as { url: string }).url);
    const { key } = (await ann.does('POST /admin/tenants/acme/keys', { json: {} })).body as { key: string };
    const nobody = actor(daemon.url, null);
    await nobody.does(`GET ${pathname}${search}`);
    await nobody.does(`GET ${pathname}x${search}`);
    await nobody.does(`GET /${search.slice(1)}`);
    await nobody.does(`GET /files/${TOKEN}/${key}?token=${TOKEN}&api_key=${key}`);
    await nobody.does('GET /v1/files', { headers: { 'x-api-key': key } });
    await nobody.does('GET /v1/files', { headers: { authorization: `Bearer ${TOKEN}x` } });
    const log = daemon.output();
    expect(log).toContain('"route":"files.signed"');
    const [, , signature = ''] = TOKEN.split('.');
    const [, secret = ''] = /token=(.+)$/.exec(search) ?? [];
    for (const kept of [TOKEN, signature, key, secret])
      expect([kept.length > 20, log.includes(kept)]).toEqual([true, false]);
  });
});

describe('the data root', () => {
  it('is open to other users nowhere but in a tree, which they reach by a mount', async () => {
    const open: string[] = [];
    for (const path of await readdir(dataDir, { recursive: true })) {
      const { mode } = await stat(join(dataDir, path)).catch(() => ({ mode: 0 }));
      if (!/\/tree(\/|$)/.test(path) && (mode & 0o077) !== 0) open.push(path);
    }
    expect(open).toEqual(['FORMAT']);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
    expect((await stat(join(dataDir, 'tenants/acme/agents/a1/tree'))).mode & 0o777).toBe(0o755);
  });
});
