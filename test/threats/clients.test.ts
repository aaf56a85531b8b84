import { createHmac } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Actor, actor } from '../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { TEST_SECRET } from '../support/process.ts';
import { makeWorld, type World } from '../support/scenario.ts';
import { until } from '../support/wait.ts';

/** Clients that lie about what they send, stop, or are not who they say. */
const MIB = 1024 ** 2;
let daemon: TestDaemon;
let world: World;
let owner: Actor;
let bearer: string;

beforeAll(async () => {
  daemon = await startTestDaemon({ env: { WORKSPACE_MAX_FILE_BYTES: '1MiB', TENANT_QUOTA_BYTES: '4MiB' } });
});
afterAll(() => daemon.close());
beforeEach(async () => {
  world = makeWorld(daemon);
  owner = world.owner;
  bearer = daemon.token({ tenant: world.tenant });
  await owner.writes('a1', 'old', 'old content');
});

interface Wire {
  readonly socket: Socket;
  text(): string;
}

function wire(text: string): Wire {
  const socket = connect(Number(new URL(daemon.url).port), '127.0.0.1', () => socket.write(text));
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  return { socket, text: () => heard };
}

const put = (headers: string) =>
  `PUT /agent/a1/filesystem/files/old?upsert=true&raw=true HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${bearer}\r\n${headers}\r\n\r\n`;
const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`;
const staged = (tree: string) => readdir(join(world.disk(tree), '../staging'));

/** Nothing was changed, nothing is left over, nothing is still reserved, and the ledger says what the disk says. */
async function expectUntouched(): Promise<void> {
  await until(async () => (await staged('a1')).length === 0, 'an empty staging');
  expect(await owner.reads('a1', 'old')).toBe('old content');
  expect(await readdir(world.disk('a1'))).toEqual(['old']);
  const admin = world.as({ scope: 'admin runs:read' });
  const agent = async () => (await admin.does('GET /agent/a1')).body as { usage: Record<string, number> };
  await until(async () => (await agent()).usage.reserved_bytes === 0, 'no reservation');
  const { body } = await admin.does(`POST /admin/tenants/${world.tenant}/rescan?dry_run=true`);
  expect(body).toMatchObject({ drift: { bytes: 0, files: 0 } });
}

describe('an upload', () => {
  it('without a length is cut at the limit: 413', async () => {
    const { socket, text } = wire(put('Transfer-Encoding: chunked') + chunk(MIB / 4).repeat(32));
    await until(() => text().includes('\r\n\r\n'), 'an answer');
    expect(text()).toMatch(/^HTTP\/1.1 413 /);
    socket.destroy();
    await expectUntouched();
  });

  it('that declares too much, or more than there is room for, is refused before its bytes: no 100, 413 or 507', async () => {
    await owner.stores('filler', Buffer.alloc(3.5 * MIB));
    for (const [length, status] of [
      [9_007_199_254_740_991, 413],
      [2 * MIB, 413],
      [0.9 * MIB, 507],
    ] as const) {
      const { socket, text } = wire(put(`Content-Length: ${Math.floor(length)}\r\nExpect: 100-continue`));
      await until(() => text().includes('\r\n\r\n'), 'an answer');
      expect(text().slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
      socket.destroy();
    }
    await expectUntouched();
  });

  it('of less than it declares, or that is cut off in the middle, changes nothing', async () => {
    for (const [headers, body] of [
      ['Content-Length: 100000', 'only this'],
      ['Transfer-Encoding: chunked', chunk(50_000)],
      ['Transfer-Encoding: chunked', '5\r\nab'],
      ['Transfer-Encoding: chunked', `${chunk(3)}nonsense\r\n`],
    ] as const) {
      const { socket } = wire(put(headers) + body);
      await until(async () => (await staged('a1')).length > 0 || socket.closed, 'a staged file');
      socket.destroy();
      await expectUntouched();
    }
  });

  it('of more than it declares is a file of what was declared, and the rest is no request', async () => {
    const { socket, text } = wire(`${put('Content-Length: 11')}old contentGET /healthz HTTP/0.9\r\n\r\n`);
    await until(() => text().includes('HTTP/1.1 200'), 'an answer');
    await until(() => socket.closed || text().split('HTTP/1.1').length > 2, 'what follows');
    socket.destroy();
    await expectUntouched();
  });

  it('of which two hundred are abandoned at once leaves nothing', async () => {
    const wires = Array.from({ length: 200 }, () => wire(put('Content-Length: 9000') + 'x'.repeat(4000)));
    await until(async () => (await staged('a1')).length > 50, 'many staged files');
    for (const { socket } of wires) socket.destroy();
    await expectUntouched();
  });

  it('in several encodings, lengths or with both is no request: 400', async () => {
    for (const headers of [
      'Content-Length: 3\r\nContent-Length: 4',
      'Content-Length: 3\r\nTransfer-Encoding: chunked',
      'Content-Length: -1',
      'Content-Length: 0x10',
      'Transfer-Encoding: gzip',
      'Transfer-Encoding: chunked, identity',
    ]) {
      const { socket, text } = wire(`${put(headers)}abc`);
      await until(() => text().includes('\r\n\r\n'), headers);
      expect([headers, text().slice(0, 12)]).toEqual([headers, 'HTTP/1.1 400']);
      socket.destroy();
    }
    await expectUntouched();
  });
});

describe('a token', () => {
  const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const forged = (header: object, claims: object, secret = TEST_SECRET) => {
    const signed = `${text(header)}.${text(claims)}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  };
  const HS256 = { alg: 'HS256', typ: 'JWT' };
  const claims = () => ({ sub: 's', tenant: world.tenant, exp: now + 60 });

  it('of every wrong kind is 401 over HTTP, with WWW-Authenticate; the right one of the same forge is taken', async () => {
    const good = forged(HS256, claims());
    expect((await actor(daemon.url, good).does('GET /api/v1/files')).status).toBe(200);
    const [head = '', body = '', mac = ''] = good.split('.');
    const bad: Readonly<Record<string, string>> = {
      'alg none': `${text({ alg: 'none' })}.${body}.`,
      'alg None with a mac': `${text({ alg: 'None' })}.${body}.${mac}`,
      'no mac': `${head}.${body}.`,
      'HS512 by name': forged({ alg: 'HS512' }, claims()),
      'RS256 by name': forged({ alg: 'RS256' }, claims()),
      'a kid that is a file': forged({ ...HS256, kid: '../../../../dev/null' }, claims(), ''),
      'jwk in the header': forged({ ...HS256, jwk: { kty: 'oct', k: text('mine') } }, claims(), 'mine'),
      'jku in the header': forged({ ...HS256, jku: `${daemon.url}/keys` }, claims(), 'mine'),
      crit: forged({ ...HS256, crit: ['b64'], b64: false }, claims()),
      'no exp': forged(HS256, { sub: 's', tenant: world.tenant }),
      'exp as text': forged(HS256, { ...claims(), exp: String(now + 60) }),
      'exp in a thousand years': forged(HS256, { ...claims(), exp: now + 3e10 }),
      'exp past': forged(HS256, { ...claims(), exp: now - 60 }),
      'nbf ahead': forged(HS256, { ...claims(), nbf: now + 600 }),
      'no tenant': forged(HS256, { sub: 's', exp: now + 60 }),
      'a list of tenants': forged(HS256, { ...claims(), tenant: [world.tenant] }),
      'scope as a list': forged(HS256, { ...claims(), scope: ['admin'] }),
      'agent as a number': forged(HS256, { ...claims(), agent: 1 }),
      'nine kilobytes': forged(HS256, { ...claims(), pad: 'x'.repeat(9000) }),
      'another secret': forged(HS256, claims(), 'another secret of more than 32 bytes in all'),
    };
    for (const [name, token] of Object.entries(bad)) {
      const answer = await actor(daemon.url, token).does('GET /api/v1/files');
      expect([name, answer.status, answer.headers['www-authenticate']]).toEqual([name, 401, 'Bearer']);
    }
  });

  it('in a query, a cookie or twice is none', async () => {
    const nobody = actor(daemon.url, null);
    expect((await nobody.does(`GET /api/v1/files?token=${bearer}&access_token=${bearer}`)).status).toBe(401);
    expect((await nobody.does('GET /api/v1/files', { headers: { cookie: `token=${bearer}` } })).status).toBe(401);
    const two = { authorization: `Bearer ${bearer}`, 'x-api-key': 'wsk_00_11' };
    expect((await nobody.does('GET /api/v1/files', { headers: two })).status).toBe(401);
  });
});

describe('a signed link over HTTP', () => {
  it('is refused when any one character of it is another, and is nothing to another tenant', async () => {
    const { id } = await owner.uploads('secret.txt', 'the secret itself');
    const { body } = await owner.does(`GET /v1/files/${id}/url`);
    const { pathname, search } = new URL((body as { url: string }).url);
    const target = pathname + search;
    const nobody = actor(daemon.url, null);
    expect((await nobody.does(`GET ${target}`)).text).toBe('the secret itself');
    for (let at = 1; at < target.length; at += 1) {
      const other = target[at] === 'A' ? 'B' : 'A';
      const answer = await nobody.does(`GET ${target.slice(0, at)}${other}${target.slice(at + 1)}`);
      const seen = { at, refused: answer.status >= 400 && answer.status < 500, told: answer.text.includes('secret') };
      expect(seen).toEqual({ at, refused: true, told: false });
    }
    const stranger = makeWorld(daemon).owner;
    expect((await stranger.does(`GET /v1/files/${id}/url`)).status).toBe(404);
    await owner.does(`DELETE /v1/files/${id}`);
    expect((await nobody.does(`GET ${target}`)).status).toBe(404);
  });
});
