import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openWeb } from '../../../src/web/web.ts';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { type Internet, page, redirect, startInternet } from '../../support/internet.ts';
import { expectPage } from '../../support/page.ts';
import { expectGolden, expectProblem, linesOf, makeWorld, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

const MIB = 1024 ** 2;
const CALL = 'POST /agent/a1/filesystem/operations/fetch';

let net: Internet;
let daemon: TestDaemon;
let world: World;
let held: (() => void)[] = [];

beforeAll(async () => {
  net = await startInternet({
    '/a.csv': page('1,2\n'),
    '/moved': redirect('/a.csv'),
    '/inner': redirect('http://169.254.169.254/latest/meta-data/'),
    '/gzip': page(gzipSync('x'.repeat(MIB)).toString('latin1'), { 'content-encoding': 'gzip' }),
    '/short': (_req, res) => {
      res.writeHead(200, { 'content-length': '100' });
      res.write('x');
      setImmediate(() => res.destroy());
    },
    '/declared': (_req, res) =>
      void res.writeHead(200, { 'content-length': String(3 * MIB) }).end(Buffer.alloc(3 * MIB)),
    '/undeclared': (_req, res) => {
      for (let n = 0; n < 48; n += 1) res.write(Buffer.alloc(64 * 1024));
      res.end();
    },
    // Says what is to come, and sends nothing of it.
    '/promised': (_req, res) => res.writeHead(200, { 'content-length': String(3 * MIB) }).flushHeaders(),
    // Begins, and ends when the test says so.
    '/held': (_req, res) => {
      res.write('begun');
      held.push(() => res.end());
    },
  });
  daemon = await startTestDaemon({
    env: { FETCH_ENABLED: 'true', WORKSPACE_MAX_FILE_BYTES: '2MiB', JSON_MAX_BYTES: '64KiB' },
    web: openWeb(net.options),
  });
});
afterAll(async () => {
  await daemon.close();
  await net.close();
});
beforeEach(async () => {
  held = [];
  world = makeWorld(daemon);
  await world.owner.makesAgent('a1', { quota_bytes: 4 * MIB });
});

const fetches = (path: string, to = 'in/x', more: object = {}) =>
  world.owner.does(CALL, { json: { url: net.url(path), path: to, ...more } });

/** Nothing was changed, nothing is left over, nothing is still reserved. */
async function expectNothing(lines: readonly string[] = []): Promise<void> {
  expect(await linesOf(world.disk('a1'))).toEqual(lines);
  await until(async () => (await readdir(join(world.disk('a1'), '../staging'))).length === 0, 'an empty staging');
  const usage = async () => (await world.owner.does('GET /agent/a1')).body as { usage: { reserved_bytes: number } };
  await until(async () => (await usage()).usage.reserved_bytes === 0, 'no reservation');
}

describe('a file of the web', () => {
  it('filesystem.fetch puts it into the workspace, parents and all', async () => {
    const answer = await fetches('/a.csv', '/in/data/a.csv');
    expect(answer.status).toBe(201);
    await expectGolden(world, answer.body, 'fetched', import.meta.url);
    expect(await linesOf(world.disk('a1'))).toEqual(['in/', 'in/data/', 'in/data/a.csv: 1,2\n']);
    expect((await world.owner.does('GET /agent/a1/filesystem/files/in/data/a.csv')).headers.etag).toBe(
      answer.headers.etag,
    );
  });

  it('filesystem.fetch follows a redirect, makes the workspace, and works under /v1', async () => {
    const json = { url: net.url('/moved'), path: 'a.csv' };
    expect((await world.owner.does('POST /v1/agent/new/filesystem/operations/fetch', { json })).status).toBe(201);
    expect(await world.owner.reads('new', 'a.csv')).toBe('1,2\n');
  });

  it('filesystem.fetch replaces only with overwrite, and what If-Match names', async () => {
    await world.owner.writes('a1', 'in/x', 'old');
    expectProblem(await fetches('/a.csv'), 'exists');
    const call = (etag: string) =>
      world.owner.does(CALL, {
        json: { url: net.url('/a.csv'), path: 'in/x', overwrite: true },
        headers: { 'if-match': etag },
      });
    expectProblem(await call('"another"'), 'precondition_failed');
    await expectNothing(['in/', 'in/x: old']);
    const { headers } = await world.owner.does('HEAD /agent/a1/filesystem/files/in/x');
    expect((await call(headers.etag ?? '')).status).toBe(201);
    expect(await world.owner.reads('a1', 'in/x')).toBe('1,2\n');
  });
});

describe('what is no file for a workspace', () => {
  it.each([
    ['/none', 400, 'invalid_request'],
    ['/gzip', 400, 'invalid_request'],
    ['/short', 503, 'unavailable'],
    ['/inner', 403, 'forbidden'],
    ['/declared', 413, 'too_large'],
    ['/undeclared', 413, 'too_large'],
    ['/promised', 413, 'too_large'],
  ] as const)('filesystem.fetch of %s is %i, and nothing is left', async (path, status, code) => {
    const answer = await fetches(path);
    expect(answer.status).toBe(status);
    expectProblem(answer, code);
    await expectNothing();
  });

  it.each(['/declared', '/undeclared'])('filesystem.fetch of %s over the quota is 507 on the way', async (path) => {
    const large = await startTestDaemonWithRoom();
    try {
      const { owner, disk } = makeWorld(large);
      await owner.makesAgent('a1', { quota_bytes: MIB });
      const answer = await owner.does(CALL, { json: { url: net.url(path), path: 'x' } });
      expect(answer.status).toBe(507);
      expectProblem(answer, 'quota_exceeded');
      expect(await linesOf(disk('a1'))).toEqual([]);
      expect(await readdir(join(disk('a1'), '../staging'))).toEqual([]);
      expect((await owner.does('GET /agent/a1')).body).toMatchObject({ usage: { bytes: 0, reserved_bytes: 0 } });
    } finally {
      await large.close();
    }
  });

  it('filesystem.fetch of a bad path or URL is 400 before anybody is asked, and makes no workspace', async () => {
    const before = net.asked.length;
    const url = net.url('/a.csv');
    for (const json of [
      { url },
      { path: 'x' },
      { url, path: '../x' },
      { url, path: 'a\nb' },
      { url, path: 'x/' },
      { url: 'file:///etc/passwd', path: 'x' },
      { url: 'http://me:secret@files.example/', path: 'x' },
      { url: 'http://files.example:25/', path: 'x' },
    ]) {
      const answer = await world.owner.does('POST /agent/never/filesystem/operations/fetch', { json });
      expect([json, answer.status]).toEqual([json, 400]);
      expect(answer.text).not.toContain('secret');
    }
    expect(net.asked).toHaveLength(before);
    expect((await world.owner.does('GET /agent/never')).status).toBe(404);
  });

  it('filesystem.fetch tells nothing of what is inside: a name, an address, a port that listens or not', async () => {
    const port = new URL(daemon.url).port;
    const hosts = [
      'localhost',
      `127.0.0.1:${port}`,
      '127.0.0.1:1025',
      '10.255.255.1',
      '169.254.169.254',
      'db.internal',
      '[::1]',
    ];
    for (const host of hosts) {
      const { status, body } = await world.owner.does(CALL, { json: { url: `http://${host}/`, path: 'x' } });
      const { detail } = body as { detail: string };
      const named = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
      const sentence = `${named} leads to no public address; only the public internet is reached from here`;
      expect({ host, status, detail }).toEqual({ host, status: 403, detail: sentence });
    }
  });
});

const startTestDaemonWithRoom = () => startTestDaemon({ env: { FETCH_ENABLED: 'true' }, web: openWeb(net.options) });

describe('the guard of a daemon as it is started', () => {
  it('filesystem.fetch reaches no server of this machine, whatever its port', async () => {
    const strict = await startTestDaemon({ env: { FETCH_ENABLED: 'true' } });
    try {
      const { owner } = makeWorld(strict);
      const asked = net.asked.length;
      for (const port of [net.port, new URL(strict.url).port]) {
        const json = { url: `http://127.0.0.1:${port}/a.csv`, path: 'x' };
        expectProblem(await owner.does(CALL, { json }), 'forbidden');
      }
      expect(net.asked).toHaveLength(asked);
      // The same server is there for whoever is not guarded.
      expect(await (await fetch(`http://127.0.0.1:${net.port}/a.csv`)).text()).toBe('1,2\n');
    } finally {
      await strict.close();
    }
  });
});

describe('docs/batch-and-fetch.md', () => {
  it('filesystem.batch and fetch answer its commands as it says', async () => {
    const published = await startInternet({ '/data.csv': page('region,amount\nnorth\n') });
    const own = await startTestDaemon({ env: { FETCH_ENABLED: 'true' }, web: openWeb(published.options) });
    try {
      await expectPage('batch-and-fetch.md', 'batch and fetch', own, (commands) =>
        commands.replaceAll('https://example.com/', published.url('/')),
      );
    } finally {
      await own.close();
      await published.close();
    }
  });
});

describe('who fetches', () => {
  it('filesystem.fetch is 403 unless it is switched on, and says how', async () => {
    const off = await startTestDaemon({ web: openWeb(net.options) });
    try {
      const answer = await makeWorld(off).owner.does(CALL, { json: { url: net.url('/a.csv'), path: 'x' } });
      expect(answer.status).toBe(403);
      expectProblem(answer, 'forbidden');
      expect(answer.text).toContain('FETCH_ENABLED=true');
    } finally {
      await off.close();
    }
  });

  it('filesystem.fetch of a client that goes away ends, and leaves nothing', async () => {
    const asked = request(`${daemon.url}/agent/a1/filesystem/operations/fetch`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${daemon.token({ tenant: world.tenant })}`,
        'content-type': 'application/json',
      },
    });
    asked.on('error', () => undefined);
    asked.end(JSON.stringify({ url: net.url('/held'), path: 'x' }));
    await until(() => held.length === 1, 'a request');
    await until(async () => (await readdir(join(world.disk('a1'), '../staging'))).length === 1, 'a staged file');
    asked.destroy();
    await expectNothing();
  });

  it('filesystem.fetch of a ninth file at once is 429 for that tenant, and for no other', async () => {
    const eight = Array.from({ length: 8 }, (_, n) => fetches('/held', `${n}`));
    await until(() => held.length === 8, 'eight downloads');
    const ninth = await fetches('/a.csv');
    expect(ninth.status).toBe(429);
    expect(Number(ninth.headers['retry-after'])).toBeGreaterThan(0);
    const json = { url: net.url('/a.csv'), path: 'x' };
    expect((await makeWorld(daemon).owner.does(CALL, { json })).status).toBe(201);
    for (const end of held) end();
    expect((await Promise.all(eight)).map(({ status }) => status)).toEqual(Array(8).fill(201));
    expect((await fetches('/a.csv')).status).toBe(201);
  });
});
