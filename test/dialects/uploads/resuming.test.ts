import { once } from 'node:events';
import { mkdirSync, rmdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { actor } from '../../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { expectGolden, expectProblem, linesOf, makeWorld, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';
import { checksumOf, OFFSET_STREAM, Resumable, TUS } from './tus.ts';

const STORE = { target: 'store', path: 'in/a.bin' };
const WORKSPACE = { target: 'workspace', agent: 'a1', path: 'in/a.bin' };
const FILE = { target: 'file', filename: 'notes.txt', userId: 'u1', purpose: 'knowledge', sessionId: 's1' };
const HERE = import.meta.url;

async function usage({ daemon, tenant }: World) {
  const operator = actor(daemon.url, daemon.token({ tenant, scope: 'admin' }));
  const { body } = await operator.does(`GET /admin/tenants/${tenant}`);
  return (body as { usage: { bytes: number; reserved_bytes: number } }).usage;
}

/** A PATCH whose body does not end by itself. */
async function hanging(
  world: World,
  { path }: Resumable,
  sent: string,
  headers: Readonly<Record<string, string>> = {},
) {
  const { port } = new URL(world.daemon.url);
  const authorization = `Bearer ${world.daemon.token({ tenant: world.tenant })}`;
  const all = { authorization, ...TUS, ...OFFSET_STREAM, 'upload-offset': '0', 'content-length': '1000', ...headers };
  const outgoing = request({ port, path, method: 'PATCH', headers: all });
  outgoing.on('error', () => undefined);
  const answered = once(outgoing, 'response').then(([{ statusCode }]) => Number(statusCode));
  answered.catch(() => undefined);
  outgoing.write(sent);
  return { answered, cut: () => outgoing.destroy() };
}

describe('an upload that goes on', () => {
  let daemon: TestDaemon;
  let world: World;
  beforeAll(async () => {
    daemon = await startTestDaemon();
  });
  beforeEach(async () => {
    world = makeWorld(daemon);
    await world.owner.makesAgent('a1');
  });
  afterAll(() => daemon.close());

  it('uploads.patch says what is wrong with a part, and how it goes on', async () => {
    const upload = await Resumable.begin(world.owner, 4, WORKSPACE);
    await upload.patch(0, 'ab');
    const said = async (offset: number, raw: string, more: Readonly<Record<string, string>> = {}) => {
      const { status, body } = await upload.patch(offset, raw, more);
      return [status, (body as { detail: string }).detail];
    };
    expect(await said(0, 'cd')).toEqual([409, expect.stringContaining('ask where it does by HEAD')]);
    expect(await said(2, 'cde')).toEqual([413, expect.stringContaining('goes beyond the Upload-Length')]);
    expect(await said(2, 'cd', { 'upload-offset': '-1' })).toEqual([
      400,
      expect.stringContaining('send at which byte'),
    ]);
    expect(await said(2, 'cd', { 'upload-length': '4' })).toEqual([400, expect.stringContaining('its length at once')]);
    expect((await upload.patch(2, 'cd')).status).toBe(204);
  });

  it('uploads.patch appends part by part, and with the last byte the file is in its workspace', async () => {
    const upload = await Resumable.begin(world.owner, 11, WORKSPACE);
    const first = await upload.patch(0, 'hello ');
    expect([first.status, first.headers['upload-offset'], first.headers['upload-result']]).toEqual([
      204,
      '6',
      undefined,
    ]);
    expect(await linesOf(world.disk('a1'))).toEqual([]);
    expect(await usage(world)).toMatchObject({ bytes: 0, reserved_bytes: 11 });
    const last = await upload.patch(6, 'world');
    const result = `${daemon.url}/agent/a1/filesystem/files/in/a.bin`;
    expect(last).toMatchObject({ status: 204, headers: { 'upload-offset': '11', 'upload-result': result } });
    expect(await linesOf(world.disk('a1'))).toEqual(['in/', 'in/a.bin: hello world']);
    expect(await usage(world)).toMatchObject({ bytes: 11, reserved_bytes: 0 });
  });

  it('uploads.head says where it goes on and what was said of it, also when it has finished', async () => {
    const upload = await Resumable.begin(world.owner, 4, { ...STORE, note: 'ä' });
    await upload.patch(0, 'ab');
    expect(await upload.head()).toMatchObject({
      status: 200,
      headers: {
        ...{ 'upload-offset': '2', 'upload-length': '4', 'cache-control': 'no-store', 'tus-resumable': '1.0.0' },
        'upload-metadata': expect.stringContaining('note w6Q='),
        'upload-expires': expect.stringMatching(/GMT$/),
      },
    });
    await upload.patch(2, 'cd');
    const { headers } = await upload.head();
    expect([headers['upload-offset'], headers['upload-expires']]).toEqual(['4', undefined]);
    expect(headers['upload-result']).toBe(`${daemon.url}/api/v1/files/download?path=in%2Fa.bin`);
    expect((await upload.patch(4, '')).status).toBe(204);
    expect(await linesOf(world.disk('store'))).toEqual(['in/', 'in/a.bin: abcd']);
  });

  it('uploads.get shows how far it is and what it has become', async () => {
    const upload = await Resumable.begin(world.owner, 4, FILE);
    await upload.patch(0, 'ab');
    await expectGolden(world, (await upload.get()).body, 'open', HERE);
    await upload.patch(2, 'cd');
    const { body } = await upload.get();
    await expectGolden(world, body, 'finished', HERE);
    const { fileId } = body as { fileId: string };
    expect((await world.owner.does(`GET /v1/files/${fileId}`)).body).toMatchObject({
      ...{
        filename: 'notes.txt',
        size: 4,
        purpose: 'knowledge',
        userId: 'u1',
        sessionId: 's1',
        mimeType: 'text/plain',
      },
    });
    expect((await world.owner.does(`GET /v1/files/${fileId}/content`)).text).toBe('abcd');
  });

  it('uploads.patch counts as an upload of its user with the last byte, and once', async () => {
    const upload = await Resumable.begin(world.owner, 4, FILE);
    for (const offset of [0, 2]) await upload.patch(offset, 'ab');
    await upload.patch(4, '');
    const { body } = await world.owner.does('GET /v1/usage?userId=u1');
    expect(body).toMatchObject({ uploads: 1, bytes_in: 4, files: 1 });
  });

  it('uploads.patch that finishes an input brings it into the live run of its user', async () => {
    await world.owner.startsRun('a1', { user_id: 'u1' });
    const { sessionId: _, ...ofAnySession } = FILE;
    const upload = await Resumable.begin(world.owner, 2, { ...ofAnySession, purpose: 'agent_input' });
    await upload.patch(0, 'in');
    expect(await world.owner.reads('a1', 'data/notes.txt')).toBe('in');
  });

  it('uploads.patch refuses another place, another type, more than the length, and changes nothing', async () => {
    const upload = await Resumable.begin(world.owner, 4, STORE);
    await upload.patch(0, 'ab');
    const conflict = await upload.patch(1, 'x');
    expect(conflict.status).toBe(409);
    expectProblem(conflict, 'conflict');
    expect(conflict.headers['tus-resumable']).toBe('1.0.0');
    expect((await upload.patch(2, 'c', { 'content-type': 'application/octet-stream' })).status).toBe(415);
    expect((await upload.patch(2, 'c', { 'upload-offset': '-1' })).status).toBe(400);
    expect((await upload.patch(2, 'c', { 'tus-resumable': '2.0.0' })).status).toBe(412);
    expect((await upload.patch(2, 'cde')).status).toBe(413);
    expect(await upload.offset()).toBe(2);
  });

  it.each(['sha256', 'sha1', 'md5'])(
    'uploads.patch checks a part by its %s and keeps nothing of another',
    async (algorithm) => {
      const upload = await Resumable.begin(world.owner, 4, STORE);
      const good = { 'upload-checksum': checksumOf(algorithm, 'ab') };
      const refused = await upload.patch(0, 'xb', good);
      expect(refused.status).toBe(460);
      expectProblem(refused, 'checksum_mismatch');
      expect(await upload.offset()).toBe(0);
      expect((await upload.patch(0, 'ab', good)).status).toBe(204);
      expect((await upload.patch(2, 'cd', { 'upload-checksum': `${algorithm} AAAA` })).status).toBe(400);
      expect((await upload.patch(2, 'cd', { 'upload-checksum': checksumOf(algorithm, 'cd') })).status).toBe(204);
      expect(await linesOf(world.disk('store'))).toEqual(['in/', 'in/a.bin: abcd']);
    },
  );

  it('uploads.patch that is cut off keeps what came, and nothing of a part with a checksum', async () => {
    const upload = await Resumable.begin(world.owner, 1000, STORE);
    const checked = await hanging(world, upload, 'x'.repeat(100), { 'upload-checksum': checksumOf('md5', '') });
    checked.cut();
    expect(await upload.offset()).toBe(0);
    const plain = await hanging(world, upload, 'x'.repeat(100));
    const row = join(world.disk('store'), '../staging');
    await until(async () => (await linesOf(row)).length === 1);
    plain.cut();
    await until(async () => (await upload.offset()) === 100);
  });

  it('uploads.head ends a request that hangs, and what that brought is kept', async () => {
    const upload = await Resumable.begin(world.owner, 1000, STORE);
    const { answered, cut } = await hanging(world, upload, 'x'.repeat(100));
    await until(async () => (await upload.offset()) === 100);
    expect(await answered).toBe(409);
    cut();
    expect((await upload.patch(100, 'y'.repeat(900))).status).toBe(204);
  });

  it('uploads.patch of what cannot be placed leaves it whole, to be placed when it can', async () => {
    const upload = await Resumable.begin(world.owner, 2, WORKSPACE);
    mkdirSync(join(world.disk('a1'), 'in/a.bin'), { recursive: true });
    const refused = await upload.patch(0, 'ab');
    expect(refused.status).toBe(400);
    expectProblem(refused, 'is_directory');
    expect((await upload.get()).body).toMatchObject({ status: 'open', offset: 2 });
    // A success here would tell the client that all is done.
    expect((await upload.head()).status).toBe(400);
    rmdirSync(join(world.disk('a1'), 'in/a.bin'));
    expect((await upload.patch(2, '')).status).toBe(204);
    expect(await linesOf(world.disk('a1'))).toEqual(['in/', 'in/a.bin: ab']);
  });

  it('uploads.terminate gives the room back, and ends a finished one without its file', async () => {
    const open = await Resumable.begin(world.owner, 1000, STORE);
    await open.patch(0, 'some');
    expect((await open.end()).status).toBe(204);
    expect(await usage(world)).toMatchObject({ bytes: 0, reserved_bytes: 0 });
    expect(await linesOf(join(world.disk('store'), '../staging'))).toEqual([]);
    for (const answer of [await open.head(), await open.patch(4, 'x'), await open.end(), await open.get()]) {
      expect(answer.status).toBe(404);
    }
    const finished = await Resumable.begin(world.owner, 1, STORE);
    await finished.patch(0, 'x');
    expect((await finished.end()).status).toBe(204);
    expect(await linesOf(world.disk('store'))).toEqual(['in/', 'in/a.bin: x']);
  });

  it('uploads.get is of one user or agent where the credential is, and nothing for others', async () => {
    const file = await Resumable.begin(world.owner, 1, { ...FILE, agentId: 'a1' });
    const seen = async (claims: object) => (await file.as(world.as(claims)).get()).status;
    expect([await seen({ user: 'u1' }), await seen({ agent: 'a1' })]).toEqual([200, 200]);
    expect([await seen({ user: 'u2' }), await seen({ agent: 'a2' })]).toEqual([404, 404]);
    const workspace = await Resumable.begin(world.owner, 1, WORKSPACE);
    expect((await workspace.as(world.as({ agent: 'a1' })).patch(0, 'x')).status).toBe(204);
    expect((await workspace.as(world.as({ agent: 'a2' })).get()).status).toBe(403);
    const stranger = makeWorld(daemon).owner;
    expect((await workspace.as(stranger).get()).status).toBe(404);
  });
});
