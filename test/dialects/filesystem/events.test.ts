import { spawnSync } from 'node:child_process';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { type EventBody, type Listener, lineOf, listenTo } from '../../support/events.ts';
import { bringAbout, expectProblem, makeWorld, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

let daemon: TestDaemon;
let world: World;
const open: Listener[] = [];

beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon.close());
beforeEach(() => {
  world = makeWorld(daemon);
});
afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

async function listens(headers: Readonly<Record<string, string>> = {}, path = '/agent/a1/filesystem/events') {
  const authorization = `Bearer ${daemon.token({ tenant: world.tenant })}`;
  const listener = await listenTo(daemon.url, path, { authorization, ...headers });
  open.push(listener);
  return listener;
}

async function polls(since?: string): Promise<{ changes: EventBody[]; next: string; resync: boolean }> {
  const query = since === undefined ? '' : `?since=${since}`;
  const { status, body } = await world.owner.does(`GET /v1/agent/a1/filesystem/changes${query}`);
  expect(status).toBe(200);
  return body as { changes: EventBody[]; next: string; resync: boolean };
}

const told = ({ events }: Pick<Listener, 'events'>) => events.map(lineOf);

/** What a process beside the daemon does in the workspace: a process of its own, as an agent is. */
function agentDoes(script: string): void {
  const { status, stderr } = spawnSync('sh', ['-ec', script], { cwd: world.disk('a1'), encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

describe('what is done through the API', () => {
  const CALLS: readonly (readonly [call: string, json: unknown, lines: readonly string[]])[] = [
    ['POST files/new/f', { content: '1' }, ['created /new/', 'created /new/f']],
    ['PUT files/in/a', { content: '2' }, ['modified /in/a']],
    ['PATCH files/in/a', { operation: 'append', content: '2' }, ['modified /in/a']],
    ['DELETE files/in/a', undefined, ['deleted /in/a']],
    ['POST directories/x/y', undefined, ['created /x/', 'created /x/y/']],
    ['POST directories/in', undefined, []],
    ['DELETE directories/in', undefined, ['deleted /in/']],
    ['DELETE directories', undefined, ['deleted /']],
    ['POST operations/move', { source: '/in/a', destination: '/m/b' }, ['created /m/', 'moved /in/a to /m/b']],
    ['POST operations/move', { source: '/in', destination: '/out' }, ['moved /in/ to /out/']],
    ['POST operations/copy', { source: '/in/a', destination: '/in/c' }, ['created /in/c']],
    ['POST operations/copy', { source: '/in', destination: '/copy' }, ['created /copy/']],
    ['PATCH metadata/in/a', { permissions: '0600' }, ['modified /in/a']],
    ['PATCH metadata/in/a', { modified_at: '2026-01-15T10:00:00Z' }, ['modified /in/a']],
    ['PATCH metadata/in/a', { tags: ['x'] }, ['modified /in/a']],
  ];

  it.each(CALLS)('filesystem.events tells of %s %j', async (call, json, lines) => {
    await bringAbout(world, 'a1/in/a: 1');
    const listener = await listens();
    const [method, path] = call.split(' ');
    const { status } = await world.owner.does(
      `${method} /agent/a1/filesystem/${path}`,
      json === undefined ? {} : { json },
    );
    expect(status).toBeLessThan(300);
    // What comes after it shows that nothing else was told of it.
    await world.owner.does('POST /agent/a1/filesystem/directories/end');
    await until(() => told(listener).includes('created /end/'), 'the end is told');
    expect(listener.events.filter(({ origin }) => origin === 'api').map(lineOf)).toEqual([...lines, 'created /end/']);
    // Only what lies below a directory that appeared may be told once more, as it is seen on the disk.
    const appeared = lines.filter((line) => line.endsWith('/')).map((line) => line.slice(line.lastIndexOf(' ') + 1));
    const isBelow = (path: string) => appeared.some((dir) => path.startsWith(dir));
    expect(listener.events.filter(({ origin, path }) => origin === 'disk' && !isBelow(path))).toEqual([]);
  });

  it('filesystem.events tells of a change with its size, its time and an id to go on from', async () => {
    await bringAbout(world, 'a1/');
    const listener = await listens();
    expect(listener.response.headers).toMatchObject({ 'content-type': expect.stringMatching(/^text\/event-stream/) });
    await world.owner.writes('a1', 'f', '12345');
    await until(() => listener.events.length === 1);
    const [event] = listener.events;
    expect(event).toEqual({
      ...{ id: listener.lastId(), type: 'created', path: '/f', is_dir: false, size: 5, origin: 'api' },
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
  });

  it('filesystem.events tells of the files of a run, and of inputs delivered to it', async () => {
    await bringAbout(world, 'store/in/x: 1');
    await bringAbout(world, 'a1/');
    const listener = await listens();
    const run = await world.owner.startsRun('a1', { files: ['in'], user_id: 'u1' });
    await until(() => told(listener).includes('created /in/x'));
    await world.owner.uploads('late.csv', '1', { purpose: 'agent_input' });
    await until(() => told(listener).includes('created /data/late.csv'));
    expect(told(listener)).toEqual(['created /in/', 'created /in/x', 'created /data/', 'created /data/late.csv']);
    await world.owner.finishesRun(run);
  });
});

describe('what a process does in the workspace', () => {
  it('filesystem.events tells of files made, changed, moved and deleted directly, each once', async () => {
    await bringAbout(world, 'a1/old: 1');
    const listener = await listens();
    agentDoes('mkdir d; echo 1 > d/f; echo 22 > old');
    await until(() => listener.events.length >= 3);
    expect(told(listener).sort()).toEqual(['created /d/', 'created /d/f', 'modified /old']);
    agentDoes('mv d e; rm old');
    await until(() => told(listener).includes('created /e/f') && told(listener).includes('deleted /old'));
    expect(told(listener).slice(3).sort()).toEqual(['created /e/', 'created /e/f', 'deleted /d/', 'deleted /old']);
    expect(new Set(listener.events.map(({ origin }) => origin))).toEqual(new Set(['disk']));
  });

  it('filesystem.changes tells of what was done between two calls', async () => {
    await bringAbout(world, 'a1/');
    const first = await polls();
    expect(first).toEqual({ changes: [], next: expect.any(String), resync: false });
    agentDoes('echo 1 > f');
    await world.owner.writes('a1', 'g', '1');
    let last = first;
    const all: EventBody[] = [];
    await until(async () => {
      last = await polls(last.next);
      all.push(...last.changes);
      return all.length >= 2;
    });
    expect(all.map(lineOf).sort()).toEqual(['created /f', 'created /g']);
    expect((await polls(last.next)).changes).toEqual([]);
  });
});

describe('where to go on', () => {
  it('filesystem.events goes on after Last-Event-ID with all that happened meanwhile', async () => {
    await bringAbout(world, 'a1/');
    const before = await listens();
    await world.owner.writes('a1', 'f1', '1');
    await until(() => before.events.length === 1);
    before.close();
    await world.owner.writes('a1', 'f2', '1');
    agentDoes('echo 1 > f3');
    const after = await listens({ 'last-event-id': before.lastId() });
    await until(() => after.events.length === 2);
    expect(told(after).sort()).toEqual(['created /f2', 'created /f3']);
  });

  it('filesystem.events goes on where filesystem.changes ended, and the other way', async () => {
    await bringAbout(world, 'a1/');
    const { next } = await polls();
    await world.owner.writes('a1', 'f1', '1');
    const listener = await listens({ 'last-event-id': next });
    await until(() => listener.events.length === 1);
    expect((await polls(listener.lastId())).changes).toEqual([]);
  });

  it.each(['1', '9f86d081884c', '9f86d081884c--1', 'x'.repeat(5000), '9f86d081884c-99999999999999999'])(
    'filesystem.events refuses %.30s as Last-Event-ID with 400',
    async (id) => {
      await bringAbout(world, 'a1/');
      const events = { headers: { 'last-event-id': id } };
      expectProblem(await world.owner.does('GET /agent/a1/filesystem/events', events), 'invalid_request');
      expectProblem(await world.owner.does(`GET /agent/a1/filesystem/changes?since=${id}`), 'invalid_request');
    },
  );

  it('filesystem.changes says resync to an id of another epoch, or one that was never given out', async () => {
    await bringAbout(world, 'a1/');
    const { next } = await polls();
    const [epoch] = next.split('-');
    for (const id of ['000000000000-3', `${epoch}-4000`]) {
      const page = await polls(id);
      expect(page).toMatchObject({ resync: true, next, changes: [{ type: 'resync', path: '/', id: next }] });
    }
  });

  it('filesystem.events of a workspace that was made anew says resync to ids of the old one', async () => {
    await bringAbout(world, 'a1/');
    const { next } = await polls();
    await world.owner.does('DELETE /agent/a1');
    await bringAbout(world, 'a1/');
    const listener = await listens({ 'last-event-id': next });
    await until(() => listener.events.length === 1);
    expect(told(listener)).toEqual(['resync /']);
  });
});

describe('the stream', () => {
  it('filesystem.events is the same under /v1, and ends with the workspace', async () => {
    await bringAbout(world, 'a1/');
    const listener = await listens({}, '/v1/agent/a1/filesystem/events');
    await world.owner.writes('a1', 'f', '1');
    await until(() => listener.events.length === 1);
    await world.owner.does('DELETE /agent/a1');
    await until(() => listener.isOver(), 'the stream ends');
    expectProblem(await world.owner.does('GET /agent/a1/filesystem/events'), 'not_found');
    expectProblem(await world.owner.does('GET /agent/a1/filesystem/changes'), 'not_found');
  });

  it('filesystem.events answers HEAD with its headers alone', async () => {
    await bringAbout(world, 'a1/');
    const { status, headers, text } = await world.owner.does('HEAD /agent/a1/filesystem/events');
    expect([status, headers['content-type'], text]).toEqual([200, 'text/event-stream; charset=utf-8', '']);
  });

  it('filesystem.events ends when the key that opened it is revoked', async () => {
    await bringAbout(world, 'a1/');
    const admin = world.as({ scope: 'admin' });
    const { body } = await admin.does(`POST /admin/tenants/${world.tenant}/keys`, { json: {} });
    const { id, key } = body as { id: string; key: string };
    const listener = await listens({ authorization: `Bearer ${key}` });
    await world.owner.writes('a1', 'f', '1');
    await until(() => listener.events.length === 1);
    await admin.does(`DELETE /admin/tenants/${world.tenant}/keys/${id}`);
    await until(() => listener.isOver(), 'the stream ends');
  });

  it('filesystem.events takes a hundred listeners of a workspace, refuses another with 429, and forgets those who left', async () => {
    await bringAbout(world, 'a1/');
    const listeners = await Promise.all(Array.from({ length: 100 }, () => listens()));
    const refused = await world.owner.does('GET /agent/a1/filesystem/events');
    expect(refused.status).toBe(429);
    expectProblem(refused, 'rate_limited');
    expect(refused.headers['retry-after']).toBe('5');
    listeners[0]?.close();
    await until(async () => {
      const one = await listens();
      return one.response.statusCode === 200;
    }, 'a place is free again');
    await world.owner.writes('a1', 'f', '1');
    await until(() => listeners.slice(1).every(({ events }) => events.length === 1), 'all are told');
  });
});
