import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { type Actor, actor, type Sent } from '../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { until } from '../support/wait.ts';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startTestDaemon({ env: { FILES_MAX_FILE_BYTES: '1MiB' } });
});
afterAll(() => daemon.close());

/** Of a tenant of its own. */
const somebody = (claims: { tenant?: string; sub?: string; user?: string; scope?: string } = {}): Actor =>
  actor(daemon.url, daemon.token({ tenant: randomUUID(), ...claims }));
const keyed = (key: string, more: Readonly<Record<string, string>> = {}) => ({ 'idempotency-key': key, ...more });
const text = (content: string, userId = 'u1') => ({ userId, content: Buffer.from(content).toString('base64') });
const files = async (who: Actor) =>
  ((await who.does('GET /v1/files')).body as { data: readonly { id: string; filename: string }[] }).data;

/** As a browser or Node sends it: every form gets a boundary of its own. */
async function postForm(
  tenant: string,
  path: string,
  key: string,
  items: readonly (readonly [string, string | File])[],
) {
  const form = new FormData();
  for (const [name, value] of items) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, value);
  }
  const headers = { authorization: `Bearer ${daemon.token({ tenant })}`, 'idempotency-key': key };
  const response = await fetch(`${daemon.url}${path}`, { method: 'POST', headers, body: form });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

describe('the same request with an Idempotency-Key', () => {
  it('files.create makes one file, and repeats its whole answer', async () => {
    const ann = somebody();
    const send = () => ann.does('POST /v1/files', { json: text('one'), headers: keyed('k1') });
    const [first, again] = [await send(), await send()];
    expect(first.status).toBe(201);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers).toMatchObject({ location: first.headers.location, 'idempotent-replayed': 'true' });
    expect(await files(ann)).toHaveLength(1);
    // Without a key, or with another, it is another file.
    await ann.does('POST /v1/files', { json: text('one') });
    await ann.does('POST /v1/files', { json: text('one'), headers: keyed('k2') });
    expect(await files(ann)).toHaveLength(3);
  });

  it('files.create knows a form again by its content, whatever its boundary', async () => {
    const tenant = randomUUID();
    const bytes = randomBytes(300_000);
    const send = (content: Uint8Array<ArrayBuffer>, name = 'a.bin') =>
      postForm(tenant, '/v1/files', 'form', [
        ['userId', 'u1'],
        ['file', new File([content], name)],
      ]);
    const first = await send(bytes);
    expect(first.status).toBe(201);
    expect(await send(bytes)).toMatchObject({ status: 201, body: { id: first.body.id } });
    const changed = Buffer.from(bytes);
    changed[200_000] = (changed[200_000] ?? 0) ^ 1;
    for (const other of [await send(changed), await send(bytes, 'b.bin'), await send(randomBytes(400_000))]) {
      expect(other).toMatchObject({ status: 409, body: { code: 'conflict' } });
    }
    const who = somebody({ tenant });
    expect(await files(who)).toHaveLength(1);
    const usage = await somebody({ tenant, scope: 'admin' }).does(`GET /admin/tenants/${tenant}`);
    expect(usage.body).toMatchObject({ usage: { bytes: 300_000, reserved_bytes: 0 } });
  });

  it('files.create makes one file of twenty at the same time', async () => {
    const ann = somebody();
    const send = () => ann.does('POST /v1/files', { json: text('many'), headers: keyed('rush') });
    const answers = await Promise.all(Array.from({ length: 20 }, send));
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0);
    for (const { status, headers, body } of answers.filter((answer) => answer.status !== 201)) {
      expect([status, body]).toEqual([409, expect.objectContaining({ code: 'conflict' })]);
      expect(headers['retry-after']).toBe('1');
    }
    expect((await send()).status).toBe(201);
    expect(await files(ann)).toHaveLength(1);
  });

  it('store.upload, filesystem.create, agents.create and runs.start take one too', async () => {
    const tenant = randomUUID();
    const ann = somebody({ tenant });
    const upload = () => postForm(tenant, '/api/v1/files/upload', 'up', [['files', new File(['abc'], 'a.txt')]]);
    const uploaded = await upload();
    expect(await upload()).toMatchObject({ status: 200, body: uploaded.body });
    const twice = async (call: string, sent: object, key: string, without = 409) => {
      const one = await ann.does(call, { ...sent, headers: keyed(key) });
      expect(one.status).toBe(201);
      expect(await ann.does(call, { ...sent, headers: keyed(key) })).toMatchObject({ status: 201, body: one.body });
      // Without the key the daemon meets what it made.
      expect((await ann.does(call, sent)).status).toBe(without);
    };
    await twice('POST /agent', { json: { agent_id: 'a1' } }, 'agent');
    await twice('POST /agent/a1/filesystem/files/x?raw=true', { raw: 'bytes' }, 'raw');
    await twice('POST /agent/a1/filesystem/directories/d', {}, 'no body', 200);
    await twice('POST /agent/a1/filesystem/files/empty?raw=true', { raw: '' }, 'empty');
    await twice('POST /agent/a1/runs', { json: {} }, 'run');
  });

  it('uploads.create begins one upload, which its headers tell from another', async () => {
    const ann = somebody();
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const named = (path: string) => `target ${base64('store')},path ${base64(path)}`;
    const begin = (key: string, path: string, raw?: string) => {
      const tus = { 'tus-resumable': '1.0.0', 'upload-length': '5', 'upload-metadata': named(path) };
      return ann.does('POST /v1/uploads', { headers: keyed(key, tus), ...(raw === undefined ? {} : { raw }) });
    };
    const [first, again] = [await begin('tus', 'a.txt'), await begin('tus', 'a.txt')];
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.headers.location).toBe(first.headers.location);
    expect((await begin('tus', 'b.txt')).status).toBe(409);
    // A body that is none of the upload's is not read, and does not leave the key in work.
    const [unwanted, repeated] = [await begin('body', 'c.txt', 'hello'), await begin('body', 'c.txt', 'hello')];
    expect([unwanted.status, repeated.status]).toEqual([201, 201]);
    expect(repeated.headers.location).toBe(unwanted.headers.location);
  });

  it('admin.createKey shows the same secret again, and the database never has it', async () => {
    const tenant = randomUUID();
    const admin = somebody({ tenant: 'ops', scope: 'admin' });
    await admin.does(`PUT /admin/tenants/${tenant}`, { json: {} });
    const send = () => admin.does(`POST /admin/tenants/${tenant}/keys`, { json: {}, headers: keyed('secret') });
    const [first, again] = [await send(), await send()];
    expect(first.status).toBe(201);
    expect(again.body).toEqual(first.body);
    expect((await admin.does(`GET /admin/tenants/${tenant}/keys`)).body).toMatchObject({ keys: [expect.anything()] });
    const { key } = first.body as { key: string };
    expect(key.length).toBeGreaterThan(20);
    const kept = (await readdir(daemon.dataDir)).filter((name) => name.startsWith('workspaced.db'));
    expect(kept).toContain('workspaced.db');
    for (const name of kept) expect((await readFile(join(daemon.dataDir, name))).includes(key)).toBe(false);
  });
});

describe('a key that was used', () => {
  it('files.create refuses it with another body, call or query', async () => {
    const ann = somebody();
    await ann.makesAgent('a1');
    expect((await ann.does('POST /v1/files', { json: text('one'), headers: keyed('k') })).status).toBe(201);
    const others: readonly (readonly [string, Sent])[] = [
      ['POST /v1/files', { json: text('two') }],
      ['POST /v1/files', { json: { ...text('one'), padding: 'x'.repeat(2_000_000) } }],
      ['POST /v1/files?x=1', { json: text('one') }],
      ['POST /agent', { json: text('one') }],
      ['POST /v1/files', {}],
      ['POST /v1/files', { json: text('one'), headers: { 'if-none-match': '*' } }],
      ['POST /v1/files', { json: text('one'), headers: { 'content-type': 'application/x+json' } }],
    ];
    for (const [call, sent] of others) {
      const answer = await ann.does(call, { ...sent, headers: keyed('k', sent.headers) });
      expect([answer.status, answer.body]).toEqual([409, expect.objectContaining({ code: 'conflict' })]);
      expect(answer.headers['retry-after']).toBeUndefined();
    }
    expect(await files(ann)).toHaveLength(1);
  });

  it('files.create lets every tenant, subject and user have it as their own', async () => {
    const tenant = randomUUID();
    const people = [{ tenant }, { tenant, sub: 'bob' }, { tenant, sub: 'bob', user: 'u1' }, {}];
    const ids = new Set<string>();
    for (const claims of people) {
      const answer = await somebody(claims).does('POST /v1/files', { json: text('same'), headers: keyed('k') });
      expect(answer.status).toBe(201);
      ids.add((answer.body as { id: string }).id);
    }
    expect(ids.size).toBe(people.length);
  });

  it('files.create demands the scope again before it repeats anything', async () => {
    const tenant = randomUUID();
    const sent = { json: text('one'), headers: keyed('k') };
    expect((await somebody({ tenant }).does('POST /v1/files', sent)).status).toBe(201);
    expect((await somebody({ tenant, scope: 'files:read' }).does('POST /v1/files', sent)).status).toBe(403);
  });

  it('files.create refuses one that is empty, too long or given twice', async () => {
    const ann = somebody();
    for (const key of ['', 'x'.repeat(256), 'naïve']) {
      const answer = await ann.does('POST /v1/files', { json: text('x'), headers: keyed(key) });
      expect([answer.status, answer.body]).toEqual([400, expect.objectContaining({ code: 'invalid_request' })]);
    }
    expect((await ann.does('POST /v1/files', { json: text('x'), headers: keyed('y'.repeat(255)) })).status).toBe(201);
    const twice = request(`${daemon.url}/v1/files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${daemon.token({ tenant: 'acme' })}`, 'idempotency-key': ['a', 'b'] },
    });
    twice.end();
    const [answer] = (await once(twice, 'response')) as [IncomingMessage];
    expect([answer.statusCode, await json(answer)]).toEqual([
      400,
      expect.objectContaining({ code: 'invalid_request' }),
    ]);
  });
});

describe('a first request that failed', () => {
  it('runs.start repeats an error that is about the request', async () => {
    const ann = somebody();
    await ann.makesAgent('a1');
    const wanted = { json: { files: [{ path: 'in/a.csv' }] }, headers: keyed('k') };
    const first = await ann.does('POST /agent/a1/runs', wanted);
    expect(first.status).toBe(404);
    await ann.stores('in/a.csv', '1,2');
    expect(await ann.does('POST /agent/a1/runs', wanted)).toMatchObject({ status: 404, body: first.body });
    expect((await ann.does('POST /agent/a1/runs', { ...wanted, headers: keyed('new') })).status).toBe(201);
  });

  it('runs.start does what failed for the moment alone', async () => {
    const ann = somebody();
    await ann.makesAgent('a1');
    const live = await ann.startsRun('a1');
    const wanted = { json: {}, headers: keyed('k') };
    expect(await ann.does('POST /agent/a1/runs', wanted)).toMatchObject({ status: 409, body: { code: 'run_live' } });
    await ann.finishesRun(live);
    expect((await ann.does('POST /agent/a1/runs', wanted)).status).toBe(201);
  });

  it('files.create does what the quota refused once there is room', async () => {
    const tenant = randomUUID();
    const [ann, admin] = [somebody({ tenant }), somebody({ tenant, scope: 'admin' })];
    const sent = { json: text('twelve bytes'), headers: keyed('k') };
    await admin.does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 5 } });
    expect((await ann.does('POST /v1/files', sent)).status).toBe(507);
    await admin.does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 50 } });
    expect((await ann.does('POST /v1/files', sent)).status).toBe(201);
  });

  it('files.create whose client went away in the middle is done by the next attempt', async () => {
    const tenant = randomUUID();
    const ann = somebody({ tenant });
    const body = JSON.stringify(text('y'.repeat(500_000)));
    const headers = {
      authorization: `Bearer ${daemon.token({ tenant })}`,
      'content-type': 'application/json',
      'content-length': String(body.length),
    };
    const cut = request(`${daemon.url}/v1/files`, {
      method: 'POST',
      headers: { ...headers, ...keyed('cut'), expect: '100-continue' },
    });
    cut.on('error', () => {});
    cut.flushHeaders();
    // The daemon has taken the key by the time it asks for the body.
    await once(cut, 'continue');
    cut.write(body.slice(0, 100_000));
    const again = () => ann.does('POST /v1/files', { raw: body, headers: { ...headers, ...keyed('cut') } });
    expect((await again()).headers['retry-after']).toBe('1');
    cut.destroy();
    await until(async () => (await again()).status === 201, 'the key is free again');
    expect(await files(ann)).toHaveLength(1);
  });

  it('files.create that was too large leaves its key to a smaller one', async () => {
    const tenant = randomUUID();
    const send = (bytes: number) =>
      postForm(tenant, '/v1/files', 'k', [
        ['userId', 'u1'],
        ['file', new File([Buffer.alloc(bytes)], 'a')],
      ]);
    expect((await send(2 * 1024 * 1024)).status).toBe(413);
    expect((await send(1024)).status).toBe(201);
  });
});

describe('a call that makes nothing', () => {
  it('filesystem.search and filesystem.archive that streams are done each time', async () => {
    const ann = somebody();
    await ann.makesAgent('a1');
    await ann.writes('a1', 'a.txt', 'one');
    const search = { json: { query: 'o', search_type: 'content' }, headers: keyed('k') };
    expect((await ann.does('POST /agent/a1/filesystem/operations/search', search)).status).toBe(200);
    const pack = { json: { paths: ['/'], format: 'tar' }, headers: keyed('pack') };
    const one = await ann.does('POST /agent/a1/filesystem/archives', pack);
    await ann.writes('a1', 'b.txt', 'two');
    const two = await ann.does('POST /agent/a1/filesystem/archives', pack);
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(two.bytes.includes('b.txt')).toBe(true);
  });
});
