import { Writable } from 'node:stream';
import { openLog } from '../../src/log.ts';
import { raw } from '../http/frame.ts';
import type { Actor } from '../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { makeWorld, type World } from '../support/scenario.ts';

/** Small requests that would cost the one event loop seconds, or all its memory. */
let daemon: TestDaemon;
let world: World;
let owner: Actor;

beforeAll(async () => {
  daemon = await startTestDaemon();
  world = makeWorld(daemon);
  owner = world.owner;
  await owner.makesAgent('a1');
});
afterAll(() => daemon.close());

// Far above what an answer takes on a busy machine, far below what the bombs took.
const PATIENCE_MS = 10_000;

async function expectQuick<T>(use: () => Promise<T> | T): Promise<T> {
  const startedAt = performance.now();
  const result = await use();
  expect(performance.now() - startedAt).toBeLessThan(PATIENCE_MS);
  return result;
}

describe('a path of slashes', () => {
  const SLASHES = `a${'/'.repeat(1_000_000)}b`;

  it('costs no time in a JSON body, and is not sent back', async () => {
    for (const [call, json] of [
      ['POST /api/v1/files/mkdir', { path: SLASHES }],
      ['POST /api/v1/files/move', { src_path: SLASHES, dst_path: SLASHES }],
      ['POST /agent/a1/filesystem/operations/copy', { source: SLASHES, destination: SLASHES }],
      ['POST /agent/a1/runs', { files: [SLASHES] }],
    ] as const) {
      const answer = await expectQuick(() => owner.does(call, { json }));
      expect([call, answer.status, answer.text.length < 1000]).toEqual([call, 400, true]);
    }
  });

  it('costs no time in a capture pattern', async () => {
    const include = Array.from({ length: 1000 }, () => `${'/'.repeat(4000)}x`);
    await expectQuick(() => owner.does('POST /agent/a1/runs', { json: { capture: { include } } }));
    const [run] = ((await owner.does('GET /agent/a1/runs')).body as { runs: { run_id: string }[] }).runs;
    await owner.does(`POST /agent/a1/runs/${run?.run_id}/finish`, { json: {} });
  });

  it('takes the square of its length where it is cut by a regular expression', () => {
    const startedAt = performance.now();
    SLASHES.slice(0, 20_000).concat('b').replace(/\/+$/, '');
    expect(performance.now() - startedAt).toBeGreaterThan(50);
  });
});

describe('a JSON body', () => {
  const wide = (item: string, times: number) => `[${Array.from({ length: times }, () => item).join(',')}]`;
  const json = { 'content-type': 'application/json' };

  it('of millions of values is refused before there is an object of any', async () => {
    for (const item of ['{}', '[]', '""', '1', '{"a":{}}', '"\\"",{}']) {
      const body = `{"operations":${wide(item, 1_000_000)}}`;
      const answer = await expectQuick(() =>
        owner.does('POST /agent/a1/filesystem/operations/copy', { raw: body, headers: json }),
      );
      expect([item, answer.status, answer.text.includes('more than 100000 values')]).toEqual([item, 400, true]);
    }
  });

  it('that is one long text is taken, whatever is in it', async () => {
    const content = ',[{"\\'.repeat(200_000);
    const answer = await owner.does('PUT /agent/a1/filesystem/files/text?upsert=true', { json: { content } });
    expect(answer.body).toMatchObject({ size: content.length });
    const cut = await owner.does('POST /api/v1/files/mkdir', { raw: '{"path":"a\\"', headers: json });
    expect(cut.status).toBe(400);
  });
});

describe('globs', () => {
  it('of a run are bounded together, and each in its alternatives', async () => {
    const braces = `{${Array.from({ length: 33 }, (_, n) => n).join(',')}}`;
    for (const wanted of [
      { capture: { include: Array.from({ length: 300 }, () => `${'*a'.repeat(120)}b`) } },
      { capture: { exclude: Array.from({ length: 100 }, () => `{a,b,c,d}${'*a'.repeat(120)}b`) } },
      { capture: { include: [braces] } },
      { files: [braces] },
      { files: ['*'.repeat(1025)] },
      { files: ['{'.repeat(1024)] },
      { files: [`${'{a,b}'.repeat(30)}*`] },
    ]) {
      const answer = await expectQuick(() => owner.does('POST /agent/a1/runs', { json: wanted }));
      expect([400, 404]).toContain(answer.status);
    }
  });

  it('that would make a regular expression run for ever match at once', async () => {
    await owner.stores(`${'a'.repeat(200)}!`, 'x');
    const files = [`${'*a'.repeat(100)}*b`, `${'**/'.repeat(80)}b`, `[${'a-z'.repeat(80)}]*b`];
    for (const glob of files) {
      const answer = await expectQuick(() => owner.does('POST /agent/a1/runs', { json: { files: [glob] } }));
      expect(answer.status).toBe(404);
    }
  });
});

describe('the log', () => {
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk, _, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  const log = openLog({ logLevel: 'info' }, sink);

  it('looks for secrets in a path made of their beginnings without stopping for it', async () => {
    for (const beginning of ['eyJ', 'wsk_a', 'Bearer ', '://x:', '?token=', '"authorization":"']) {
      await expectQuick(() => log.info({ path: beginning.repeat(30_000 / beginning.length) }, 'request'));
    }
    const startedAt = performance.now();
    'eyJ'.repeat(5_000).replace(/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, '');
    expect(performance.now() - startedAt).toBeGreaterThan(20);
  });

  it('still finds a token, whatever stands around it', () => {
    const token = daemon.token({ tenant: 'acme' });
    for (const around of ['%', '/a/%', 'x%', '%2F%', '(%)', '_%', 'a.b.% c']) {
      lines.length = 0;
      log.info({ path: around.replace('%', token) }, 'request');
      expect([around, lines.join('').includes(token.split('.')[2] ?? '')]).toEqual([around, false]);
    }
    lines.length = 0;
    log.info({ path: '/files/archive.tar.gz' }, 'request');
    expect(lines.join('')).toContain('/files/archive.tar.gz');
  });
});

describe('a form', () => {
  const post = async (type: string, body: string) => {
    const head = `POST /api/v1/files/upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer ${daemon.token(
      { tenant: world.tenant },
    )}\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    const answer = await expectQuick(() => raw(Number(new URL(daemon.url).port), head + body));
    return Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]);
  };
  const parts = (times: number, header: string) => `${`--B\r\n${header}\r\n\r\n\r\n`.repeat(times)}--B--\r\n`;
  const FORM = 'multipart/form-data; boundary=B';

  it.each([
    ['of 100,000 fields', FORM, parts(100_000, 'Content-Disposition: form-data; name="f"')],
    ['of 100,000 distinct parts without a name', FORM, parts(100_000, 'Content-Disposition: form-data')],
    ['with an empty filename', FORM, parts(1, 'Content-Disposition: form-data; name="files"; filename=""')],
    ['with an empty name', FORM, parts(1, 'Content-Disposition: form-data; name=""; filename="a"')],
    ['with a field of a poisoned name', FORM, parts(1, 'Content-Disposition: form-data; name="__proto__"')],
    ['with brackets in a name', FORM, parts(1, 'Content-Disposition: form-data; name="path[]"')],
    ['with a boundary of 10,000 characters', `multipart/form-data; boundary=${'b'.repeat(10_000)}`, 'x'],
    ['with an empty boundary', 'multipart/form-data; boundary=', '--\r\n\r\n'],
    ['with a part header of a megabyte', FORM, parts(1, `X: ${'x'.repeat(1_000_000)}`)],
    ['that never ends', FORM, '--B\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nabc'],
  ] as const)('%s is 400', async (_, type, body) => {
    expect(await post(type, body)).toBe(400);
    expect((await owner.does('GET /api/v1/files')).body).not.toMatchObject({ files: [{ name: 'a' }] });
  });

  it('of 100,000 files is 400, and none of them is kept', async () => {
    const files = Array.from(
      { length: 100_000 },
      (_, n) => `--B\r\nContent-Disposition: form-data; name="files"; filename="f${n}"\r\n\r\n\r\n`,
    );
    const answer = await owner.does('POST /api/v1/files/upload', {
      raw: `${files.join('')}--B--\r\n`,
      headers: { 'content-type': FORM },
    });
    expect(answer.status).toBe(400);
    expect((await owner.does('GET /api/v1/files?limit=1&path=')).text).not.toContain('"f0"');
  });
});

describe('a query', () => {
  it('cannot be polluted: brackets name nothing, and nothing comes twice', async () => {
    for (const query of ['path[]=in', 'path[a]=in', 'path=in&path=x', 'path=in&p%61th=x']) {
      const { status } = await owner.does(`GET /api/v1/files/download?${query}`);
      expect([query, status]).toEqual([query, 400]);
    }
    expect((await owner.does('GET /api/v1/files?__proto__=1&constructor=2')).status).toBe(200);
  });
});

describe('metadata', () => {
  it('that would reach a prototype is refused, at any depth and in either spelling', async () => {
    await owner.stores('m.txt', 'x');
    for (const metadata of [
      '{"__proto__":{"polluted":1}}',
      '{"a":[{"constructor":{"prototype":{"polluted":1}}}]}',
      '{"prototype":1}',
      '{"\\u005f_proto__":{"polluted":1}}',
    ]) {
      const answer = await owner.does('PATCH /api/v1/files/metadata?path=m.txt', {
        raw: `{"metadata":${metadata}}`,
        headers: { 'content-type': 'application/json' },
      });
      expect([metadata, answer.status]).toEqual([metadata, 400]);
    }
    expect({}).not.toHaveProperty('polluted');
    const taken = { toString: 1, hasOwnProperty: 'x', userId: { __typename: 1 } };
    await owner.does('PATCH /api/v1/files/metadata?path=m.txt', { json: { metadata: taken } });
    expect((await owner.does('GET /api/v1/files/metadata?path=m.txt')).body).toMatchObject({ metadata: taken });
  });
});
