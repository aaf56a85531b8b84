import type { Scope } from '../../src/auth/grant.ts';
import type { Sent } from '../support/actor.ts';
import type { Answer } from '../support/client.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { expectProblem, linesOf, makeWorld, type World } from '../support/scenario.ts';
import { surface } from '../support/surface.ts';

interface Sample extends Sent {
  /** Query and the words for the path's parameters; `{run}` and the like are of the tenant that owns everything. */
  readonly query?: string;
  readonly params?: Readonly<Record<string, string>>;
  /** What a tenant gets who names another's things: 404, or what an empty tenant of its own would get. */
  readonly stranger: number | ((answer: Answer) => void);
}

interface DaysBody {
  readonly days: readonly object[];
}

const emptyList = (key: string) => (answer: Answer) => expect(answer.body).toMatchObject({ [key]: [] });
const status = (code: number) => (answer: Answer) => expect(answer.status).toBe(code);
const json = (value: unknown): Pick<Sent, 'json'> => ({ json: value });
const file = { path: 'secret.txt' };
const upload = { id: '{upload}' };
const TUS = { 'tus-resumable': '1.0.0' };
const PART = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' };
const NO_EVENT = { 'last-event-id': 'no id' };

/** One valid request for each route. A route that is missing here fails the test. */
/** Of one tenant; nothing is ever sent there. */
const WEBHOOK = { url: 'https://receiver.example/', events: ['run.started'], secret: 'sixteen-letters-or-more' };

const SAMPLES: Readonly<Record<string, Sample>> = {
  // Before anything of the stranger's own is made.
  'slots.list': { stranger: emptyList('files') },
  'store.list': { stranger: emptyList('files') },
  'store.download': { query: 'path=secret.txt', stranger: 404 },
  // Into its own store: the owner's is as it was, which is looked at in the end.
  'store.upload': { form: [{ name: 'files', filename: 'secret.txt', value: 'mine' }], stranger: status(200) },
  'store.delete': { query: 'path=secret.txt', stranger: status(204) },
  'store.move': { ...json({ src_path: 'secret.txt', dst_path: 'x' }), stranger: 400 },
  'store.copy': { ...json({ source: 'secret.txt', destination: 'x' }), stranger: 404 },
  'store.mkdir': { ...json({ path: 'dir' }), stranger: status(200) },
  'store.search': { ...json({ query: 'secret*' }), stranger: emptyList('results') },
  'store.metadata': { query: 'path=secret.txt', stranger: 404 },
  'store.setMetadata': { query: 'path=secret.txt', ...json({ tags: ['x'] }), stranger: 404 },
  'store.archive': { ...json({ paths: ['secret.txt'] }), stranger: 404 },
  'store.extract': { ...json({ archive_path: 'secret.txt', destination: 'x' }), stranger: 404 },
  // An id that is none: a stream of the stranger's own store would have no end.
  'store.events': { headers: NO_EVENT, stranger: 400 },
  'filesystem.read': { params: file, stranger: 404 },
  'filesystem.update': { params: file, ...json({ content: 'x' }), stranger: 404 },
  'filesystem.patch': { params: file, ...json({ operation: 'append', content: 'x' }), stranger: 404 },
  'filesystem.edit': {
    ...json({ path: 'secret.txt', edits: [{ old_string: 'secret', new_string: 'x' }] }),
    stranger: 404,
  },
  'filesystem.delete': { params: file, stranger: 404 },
  'filesystem.list': { stranger: 404 },
  'filesystem.removeDirectory': { stranger: 404 },
  'filesystem.copy': { ...json({ source: 'secret.txt', destination: 'x' }), stranger: 404 },
  'filesystem.move': { ...json({ source: 'secret.txt', destination: 'x' }), stranger: 404 },
  'filesystem.search': { ...json({ query: 'secret*' }), stranger: 404 },
  'filesystem.batch': {
    ...json({ operations: [{ op: 'copy', source: 'secret.txt', destination: 'x' }] }),
    // Items are answered each for itself, so the call is 200.
    stranger: (answer) => expect(answer.body).toMatchObject({ results: [{ status: 404 }] }),
  },
  // Switched off, which is told before anything is looked for.
  'filesystem.fetch': { ...json({ url: 'http://files.example/', path: 'x' }), stranger: 403 },
  'filesystem.archive': { ...json({ paths: ['secret.txt'] }), stranger: 404 },
  'filesystem.extract': { ...json({ archive_path: 'secret.txt', destination: 'x' }), stranger: 404 },
  'filesystem.changes': { stranger: 404 },
  'filesystem.events': { headers: NO_EVENT, stranger: 404 },
  'filesystem.metadata': { params: file, stranger: 404 },
  'filesystem.setMetadata': { params: file, ...json({ tags: ['x'] }), stranger: 404 },
  'agents.list': { stranger: emptyList('agents') },
  'agents.get': { stranger: 404 },
  'agents.delete': { query: 'force=true', stranger: 404 },
  'agents.mount': { stranger: 404 },
  'runs.list': { stranger: 404 },
  'runs.get': { stranger: 404 },
  'runs.heartbeat': { stranger: 404 },
  'runs.finish': { ...json({}), stranger: 404 },
  'files.create': { ...json({ user_id: 'u1', content: '' }), stranger: status(201) },
  'files.list': { query: 'runId={run}', stranger: emptyList('data') },
  'files.get': { stranger: 404 },
  'files.content': { stranger: 404 },
  'files.url': { stranger: 404 },
  'files.delete': { stranger: 404 },
  'slots.create': { ...json({ content_type: 'text/plain' }), stranger: status(200) },
  // slots.md asks for 403 here, and nowhere else.
  'slots.download': { stranger: 403 },
  'slots.update': { ...json({ visibility: 'public' }), stranger: 403 },
  'slots.delete': { stranger: 403 },
  // The stranger's own account, in which there is nothing of the owner's.
  'usage.get': { stranger: (answer) => expect(answer.body).toMatchObject({ bytes: 0 }) },
  'usage.daily': { stranger: ({ body }) => expect((body as DaysBody).days.at(-1)).toMatchObject({ bytes: 0 }) },
  'media.upload': { form: [{ name: 'file', filename: 'secret.txt', value: 'mine' }], stranger: status(200) },
  'media.get': { stranger: 404 },
  'media.info': { stranger: 404 },
  'media.url': { stranger: 404 },
  'media.config': { stranger: status(200) },
  'uploads.create': {
    headers: { ...TUS, 'upload-length': '3', 'upload-metadata': 'target c3RvcmU=,path c2VjcmV0LnR4dA==' },
    stranger: status(201),
  },
  'uploads.head': { params: upload, headers: TUS, stranger: 404 },
  'uploads.get': { params: upload, stranger: 404 },
  'uploads.patch': { params: upload, raw: 'x', headers: { ...TUS, ...PART }, stranger: 404 },
  'uploads.terminate': { params: upload, headers: TUS, stranger: 404 },
  'webhooks.get': { stranger: 404 },
  'webhooks.delete': { stranger: 404 },
  // The stranger's own.
  'webhooks.put': { ...json(WEBHOOK), stranger: status(201) },
  // An agent's id is each tenant's own: these make one of the stranger's own, so they come last.
  'runs.start': { ...json({ files: ['secret.txt'] }), stranger: 404 },
  'filesystem.create': { params: file, ...json({ content: 'mine' }), stranger: status(201) },
  'filesystem.mkdir': { stranger: status(200) },
  'agents.create': { ...json({ agent_id: 'a2' }), stranger: status(201) },
};

// Only an admin comes this far, and an admin acts on any tenant there.
const ADMIN_CALLS: Readonly<Record<string, Omit<Sample, 'stranger'>>> = {
  'admin.listTenants': {},
  'admin.getTenant': {},
  'admin.putTenant': json({}),
  'admin.deleteTenant': {},
  'admin.createKey': json({}),
  'admin.listKeys': {},
  'admin.revokeKey': {},
  'admin.rescan': {},
};

const ROUTES = surface();
const mountedCalls = ROUTES.filter(({ route }) => route.access !== 'signed' && route.access !== 'public');

interface Owned {
  readonly world: World;
  readonly words: Readonly<Record<string, string>>;
}

function callOf(method: string, path: string, sample: Omit<Sample, 'stranger'>, words: Owned['words']): string {
  const given: Readonly<Record<string, string>> = { ...words, ...sample.params };
  const target = path
    .replace('{/*path}', given.path === undefined ? '' : `/${given.path}`)
    .replace(/:(\w+)/g, (_, name: string) => (given[name] ?? 'x').replace('{upload}', words.uploadId ?? ''));
  const query = sample.query?.replace('{run}', words.runId ?? '');
  return `${method} ${target}${query === undefined ? '' : `?${query}`}`;
}

describe('every route', () => {
  let daemon: TestDaemon;
  let owned: Owned;

  beforeAll(async () => {
    daemon = await startTestDaemon();
    const world = makeWorld(daemon);
    await world.owner.stores('secret.txt', 'secret');
    await world.owner.writes('a1', 'secret.txt', 'secret');
    const { id } = await world.owner.uploads('secret.txt', 'secret');
    const run = await world.owner.startsRun('a1', { user_id: 'u1' });
    await world.as({ scope: 'admin' }).does('PUT /v1/webhooks', { json: WEBHOOK });
    const begun = await world.owner.does('POST /v1/uploads', { headers: SAMPLES['uploads.create']?.headers ?? {} });
    const uploadId = String(begun.headers.location).split('/').at(-1) ?? '';
    owned = { world, words: { agentId: 'a1', id, runId: run.run_id, tenant: world.tenant, uploadId } };
  });
  afterAll(() => daemon.close());

  it('has a sample here', () => {
    const names = new Set(mountedCalls.map(({ route }) => route.name));
    expect([...names].sort()).toEqual([...Object.keys(SAMPLES), ...Object.keys(ADMIN_CALLS)].sort());
  });

  for (const { route, path } of mountedCalls) {
    const sample = SAMPLES[route.name] ?? ADMIN_CALLS[route.name] ?? {};

    it(`${route.name} without a credential, or with a bad one, is 401: ${route.method} ${path}`, async () => {
      const call = callOf(route.method, path, sample, owned.words);
      const bad = { authorization: 'Bearer not.a.token' };
      for (const headers of [{}, bad, { 'x-api-key': 'wsk_unknown' }, { authorization: 'Basic dTpw' }]) {
        const answer = await owned.world.as('nobody').does(call, { ...sample, headers });
        expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer']);
        if (route.method !== 'HEAD') expectProblem(answer, 'unauthenticated');
      }
    });

    it(`${route.name} without its scope is 403: ${route.method} ${path}`, async () => {
      const call = callOf(route.method, path, sample, owned.words);
      const answer = await owned.world.as({ scope: allBut(route.access) }).does(call, sample);
      if (route.method !== 'HEAD') expectProblem(answer, 'forbidden');
      expect(answer.status).toBe(403);
    });
  }

  it('tells another tenant nothing, at every mount', async () => {
    const mounts = new Map(
      ROUTES.map(({ route }) => [route.name, ROUTES.filter((one) => one.route.name === route.name)]),
    );
    const stranger = makeWorld(daemon).as({ scope: allBut(null) });
    for (const [name, sample] of Object.entries(SAMPLES)) {
      const [first, second] = mounts.get(name) ?? [];
      if (first === undefined) throw new Error(`there is no route ${name}`);
      const paths = typeof sample.stranger === 'number' && second !== undefined ? [first, second] : [first];
      for (const { route, path } of paths) {
        const answer = await stranger.does(callOf(route.method, path, sample, owned.words), sample);
        expect({ name, text: /\bsecret\b(?!\.txt)/.test(answer.text) }).toEqual({ name, text: false });
        if (typeof sample.stranger === 'number') {
          expect({ name, status: answer.status }).toEqual({ name, status: sample.stranger });
        } else sample.stranger(answer);
      }
    }
    const { world, words } = owned;
    expect(await linesOf(world.disk('store'))).toEqual(['secret.txt: secret']);
    expect(await linesOf(world.disk('a1'))).toEqual(['data/', 'data/secret.txt: secret', 'secret.txt: secret']);
    expect((await world.owner.does(`GET /agent/a1/runs/${words.runId}`)).body).toMatchObject({ status: 'running' });
    expect((await world.owner.does(`GET /v1/files/${words.id}/content`)).text).toBe('secret');
  });

  it('lets an admin of one tenant act on another under /admin, and nowhere else', async () => {
    const operator = makeWorld(daemon).as({ scope: 'admin' });
    const { words } = owned;
    expect((await operator.does(`GET /admin/tenants/${words.tenant}`)).status).toBe(200);
    expect((await operator.does('GET /agent/a1/mount')).status).toBe(404);
  });

  it('holds a credential of one agent to that workspace', async () => {
    const bound = owned.world.as({ agent: 'a9' });
    for (const { route, path } of mountedCalls.filter((one) => one.dialect.name === 'filesystem')) {
      const sample = SAMPLES[route.name] ?? {};
      const answer = await bound.does(callOf(route.method, path, sample, owned.words), sample);
      expect({ name: route.name, status: answer.status }).toEqual({ name: route.name, status: 403 });
    }
    expect((await bound.does('GET /api/v1/files')).status).toBe(403);
    expect((await bound.does('POST /agent/a9/runs', { json: {} })).status).toBe(403);
    await bound.writes('a9', 'own.txt', 'mine');
    expect(await bound.reads('a9', 'own.txt')).toBe('mine');
  });
});

/** Every scope but this one, as a token claims them; none for writing where what the call is about decides. */
function allBut(access: string | null): string {
  if (access === 'credential') return 'store:read workspace:read files:read';
  const scopes: readonly Scope[] = [
    ...(['store:read', 'store:write', 'workspace:read', 'workspace:write'] as const),
    ...(['files:read', 'files:write', 'runs:read', 'runs:write', 'usage:read', 'admin'] as const),
  ];
  return scopes.filter((scope) => scope !== access).join(' ');
}
