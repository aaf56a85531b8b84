import { raw } from '../http/frame.ts';
import { type Actor, actor } from '../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { linesOf, makeWorld, type World } from '../support/scenario.ts';

/** Every place where a request names a path, and every spelling of a way out, with nothing between us and the socket. */
const OUT = [
  '..',
  '../secret.txt',
  'in/../../secret.txt',
  'in/..',
  '..%2fsecret.txt',
  '%2e%2e/secret.txt',
  '%2e%2e%2fsecret.txt',
  '.%2e/secret.txt',
  'in%2f..%2f..%2fsecret.txt',
  '/../secret.txt',
  '%2f..%2fsecret.txt',
  'in/./a.txt',
  'in/%2e/a.txt',
  'in//a.txt',
  'in%2f%2fa.txt',
  'a%00.txt',
  '%00',
  'x'.repeat(256),
  'é'.repeat(128),
  `${'d/'.repeat(2048)}x`,
];

// What is no valid percent-encoded UTF-8 at all.
const BROKEN = ['%', '%2', '%zz', '%c0%ae%c0%ae/secret.txt', '%ff', '%ed%a0%80'];

let daemon: TestDaemon;
let world: World;
let owner: Actor;
let bearer: string;

beforeAll(async () => {
  daemon = await startTestDaemon();
  world = makeWorld(daemon);
  owner = world.owner;
  bearer = daemon.token({ tenant: world.tenant });
  await owner.stores('in/a.txt', 'stored');
  await owner.writes('a1', 'in/a.txt', 'worked');
});
afterAll(() => daemon.close());

/** Of a request written by hand: node's own client would tidy its path up. */
async function statusOf(method: string, target: string, body = '', type = 'application/octet-stream'): Promise<number> {
  const head = [
    `${method} ${target} HTTP/1.1`,
    'Host: h',
    'Connection: close',
    `Authorization: Bearer ${bearer}`,
    ...(body === '' ? [] : [`Content-Type: ${type}`, `Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  const answer = await raw(Number(new URL(daemon.url).port), `${head.join('\r\n')}\r\n\r\n${body}`);
  return Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]);
}

const WORKSPACE = '/agent/a1/filesystem';
const IN_URL: readonly (readonly [string, string, string])[] = [
  ['GET', '/api/v1/files?path=', ''],
  ['GET', '/api/v1/files/download?path=', ''],
  ['DELETE', '/api/v1/files?recursive=true&path=', ''],
  ['GET', '/api/v1/files/metadata?path=', ''],
  ['PATCH', '/api/v1/files/metadata?path=', '{"tags":["x"]}'],
  ['GET', `${WORKSPACE}/files/`, ''],
  ['HEAD', `${WORKSPACE}/files/`, ''],
  ['GET', `/v1${WORKSPACE}/files/`, ''],
  ['POST', `${WORKSPACE}/files/`, 'x'],
  ['PUT', `${WORKSPACE}/files/`, 'x'],
  ['PATCH', `${WORKSPACE}/files/`, '{"operation":"append","content":"x"}'],
  ['DELETE', `${WORKSPACE}/files/`, ''],
  ['GET', `${WORKSPACE}/directories/`, ''],
  ['POST', `${WORKSPACE}/directories/`, ''],
  ['DELETE', `${WORKSPACE}/directories/`, ''],
  ['GET', `${WORKSPACE}/metadata/`, ''],
  ['PATCH', `${WORKSPACE}/metadata/`, '{"tags":["x"]}'],
];

async function expectUntouched(): Promise<void> {
  expect(await linesOf(world.disk('store'))).toEqual(['in/', 'in/a.txt: stored']);
  expect(await linesOf(world.disk('a1'))).toEqual(['in/', 'in/a.txt: worked']);
}

describe('a path that leads out', () => {
  it.each(IN_URL)('in the URL of %s %s… is 400 in every spelling, and nothing changes', async (method, base, body) => {
    const type = body.startsWith('{') ? 'application/json' : undefined;
    for (const path of [...OUT, ...BROKEN]) {
      // A query has one decoding and no slashes to be normalised; in it, too, both spellings of a slash divide.
      expect([path, await statusOf(method, `${base}${path}`, body, type)]).toEqual([path, 400]);
    }
    await expectUntouched();
  });

  it.each([
    ['POST /api/v1/files/mkdir', (path: string) => ({ path })],
    ['POST /api/v1/files/move', (path: string) => ({ src_path: path, dst_path: 'b' })],
    ['POST /api/v1/files/move', (path: string) => ({ src_path: 'in/a.txt', dst_path: path })],
    ['POST /api/v1/files/copy', (path: string) => ({ source: path, destination: 'b' })],
    ['POST /api/v1/files/copy', (path: string) => ({ source: 'in/a.txt', destination: path })],
    [`POST ${WORKSPACE}/operations/edit`, (path: string) => ({ path, edits: [{ old_string: 'x', new_string: 'y' }] })],
    [`POST ${WORKSPACE}/operations/copy`, (path: string) => ({ source: path, destination: 'b' })],
    [`POST ${WORKSPACE}/operations/copy`, (path: string) => ({ source: 'in/a.txt', destination: path })],
    [`POST ${WORKSPACE}/operations/move`, (path: string) => ({ source: path, destination: 'b' })],
    [`POST ${WORKSPACE}/operations/move`, (path: string) => ({ source: 'in/a.txt', destination: path })],
    ['POST /agent/a1/runs', (path: string) => ({ files: [path] })],
    ['POST /agent/a1/runs', (path: string) => ({ files: [{ path: 'in/a.txt', to: path }] })],
    ['POST /agent/a1/runs', (path: string) => ({ files: [`${path}/*`] })],
    ['POST /agent/a1/runs', (path: string) => ({ capture: { include: [`${path}/*`] } })],
    ['POST /agent', (path: string) => ({ files: [{ path: 'in/a.txt', to: path }] })],
  ])('in the JSON of %s is 400, and nothing changes', async (call, bodyFor) => {
    for (const path of ['..', '../x', 'in/../../x', 'in/./x', 'in//x', 'a\0b', '/../x', 'x'.repeat(256), '\ud800']) {
      const { status } = await owner.does(call, { json: bodyFor(path) });
      expect([path, status]).toEqual([path, 400]);
    }
    await expectUntouched();
  });

  it('in each operation of a batch is 400 for that one, and nothing changes', async () => {
    for (const path of ['..', '../x', 'in/../../x', 'in/./x', 'in//x', 'a\0b', '/../x', 'x'.repeat(256), '\ud800']) {
      const operations = [
        { op: 'write', path, content: 'x' },
        { op: 'mkdir', path },
        { op: 'copy', source: path, destination: 'b' },
        { op: 'copy', source: 'in/a.txt', destination: path },
        { op: 'move', source: path, destination: 'b' },
        { op: 'move', source: 'in/a.txt', destination: path },
        { op: 'delete', path },
        { op: 'delete', path, recursive: true },
        { op: 'delete', path_b64: Buffer.from(path).toString('base64') },
      ];
      const { body } = await owner.does(`POST ${WORKSPACE}/operations/batch`, { json: { operations } });
      const { results } = body as { results: { status: number }[] };
      const asText = results.slice(0, -1).map(({ status }) => status);
      expect([path, asText]).toEqual([path, asText.map(() => 400)]);
      // Of half a surrogate pair there are no bytes but those of a replacement character, which is a name.
      expect([path, results.at(-1)?.status]).toEqual([path, path === '\ud800' ? 404 : 400]);
    }
    await expectUntouched();
  });

  it('in path_b64 and source_b64 is 400, also with bytes that are no text', async () => {
    for (const path of ['..', '../x', 'in/../../x', 'a\0b', '\xff/../x', 'in//x']) {
      const b64 = encodeURIComponent(Buffer.from(path, 'latin1').toString('base64'));
      for (const method of ['GET', 'DELETE']) {
        expect([path, await statusOf(method, `${WORKSPACE}/files?path_b64=${b64}`)]).toEqual([path, 400]);
      }
      const json = { source_b64: Buffer.from(path, 'latin1').toString('base64'), destination: 'b' };
      for (const verb of ['copy', 'move']) {
        expect((await owner.does(`POST ${WORKSPACE}/operations/${verb}`, { json })).status).toBe(400);
      }
    }
    await expectUntouched();
  });

  it('in the name of a tenant or agent is no directory: 400, 401 or 404', async () => {
    for (const id of ['..', '%2e%2e', '..%2f..', 'a1%2f..%2fb', '.', 'a%00', 'a%5cb', '.hidden', 'x'.repeat(129)]) {
      expect([400, 404]).toContain(await statusOf('GET', `/agent/${id}/filesystem/directories`));
      expect([400, 404]).toContain(await statusOf('DELETE', `/agent/${id}?force=true`));
    }
    for (const tenant of ['..', '../acme', 'a/b', '', '.x', 'a\0']) {
      const token = daemon.token({ tenant });
      expect((await actor(daemon.url, token).does('GET /api/v1/files')).status).toBe(401);
    }
    await expectUntouched();
  });

  it('in the filename or the prefix of a form stays below the root', async () => {
    const upload = (filename: string, path = '') =>
      owner.does('POST /api/v1/files/upload', {
        form: [
          { name: 'path', value: path },
          { name: 'files', filename, value: 'x' },
        ],
      });
    expect((await upload('../../up.txt')).body).toEqual({ uploaded: [{ path: 'up.txt', size: 1 }] });
    expect((await upload('/etc/passwd')).body).toEqual({ uploaded: [{ path: 'etc/passwd', size: 1 }] });
    // A form's names are not percent-encoded: these are ordinary ones.
    expect((await upload('..%2f..%2fa')).body).toEqual({ uploaded: [{ path: '..%2f..%2fa', size: 1 }] });
    for (const filename of ['..', '../..', '/', '..\\..\\a', 'a\0b', 'a\u0007b']) {
      expect([filename, (await upload(filename)).status]).toEqual([filename, 400]);
    }
    for (const prefix of ['..', '../x', 'a/../..', 'a\0b', 'a\\b']) {
      expect([prefix, (await upload('f', prefix)).status]).toEqual([prefix, 400]);
    }
    const left = await linesOf(world.disk('store'));
    expect(left).toEqual(['..%2f..%2fa: x', 'etc/', 'etc/passwd: x', 'in/', 'in/a.txt: stored', 'up.txt: x']);
    for (const path of ['etc', 'up.txt', '..%252f..%252fa']) {
      expect(await statusOf('DELETE', `/api/v1/files?recursive=true&path=${path}`)).toBe(204);
    }
    await expectUntouched();
  });

  it('is caught by the parsing: as plain text, joined to the root, it would leave', () => {
    const escaping = ['../secret.txt', 'in/../../secret.txt', decodeURIComponent('%2e%2e%2fsecret.txt')];
    for (const path of escaping) {
      const joined = new URL(`file:///root/tree/${path}`).pathname;
      expect([path, joined.startsWith('/root/tree/')]).toEqual([path, false]);
    }
  });
});

describe('a path that only looks as if it led out', () => {
  it('%252e%252e is a literal name after the one decoding', async () => {
    expect(await statusOf('PUT', `${WORKSPACE}/files/%252e%252e?upsert=true&raw=true`, 'literal')).toBe(200);
    expect(await linesOf(world.disk('a1'))).toEqual(['%2e%2e: literal', 'in/', 'in/a.txt: worked']);
    expect(await statusOf('DELETE', `${WORKSPACE}/files/%252e%252e`)).toBe(200);
  });

  it('%2f divides like a slash, leading slashes are the root, and a trailing one is no file', async () => {
    for (const path of ['in%2fa.txt', '/in/a.txt', '//in/a.txt', '%2fin%2Fa.txt']) {
      expect([path, await statusOf('GET', `${WORKSPACE}/files/${path}`)]).toEqual([path, 200]);
    }
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expect(await statusOf(method, `${WORKSPACE}/files/in/a.txt/`, method === 'PUT' ? 'x' : '')).toBe(400);
    }
    expect(await statusOf('GET', '/api/v1/files/download?path=in/a.txt/')).toBe(400);
    expect(await statusOf('GET', `${WORKSPACE}/directories/in/`)).toBe(200);
    await expectUntouched();
  });
});
