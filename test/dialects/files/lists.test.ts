import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileBody } from '../../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { expectProblem, makeWorld, playScenarios, type Scenario, type World } from '../../support/scenario.ts';

interface ListBody {
  readonly data: readonly FileBody[];
  readonly has_more: boolean;
  readonly next_cursor?: string;
}

const FILTERS = ['userId', 'purpose', 'agentId', 'sessionId', 'runId'] as const;
type Named = Readonly<Partial<Record<(typeof FILTERS)[number], string>>>;

async function listed({ owner }: Pick<World, 'owner'>, query = ''): Promise<ListBody> {
  const { status, body, text } = await owner.does(`GET /v1/files?${query}`);
  if (status !== 200) throw new Error(text);
  return body as ListBody;
}

const namesOf = ({ data }: ListBody) => data.map(({ filename }) => filename);

/** A run of the agent, which makes one file. */
async function runs(world: World, agent: string, user: string, session: string): Promise<string> {
  const { owner } = world;
  const run = await owner.startsRun(agent, { user_id: user, session_id: session, inputs: 'none' });
  await writeFile(join(world.disk(agent), `${agent}-${user}.txt`), `${agent} ${user}`);
  await owner.finishesRun(run);
  return run.run_id;
}

describe('lists of files', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startTestDaemon();
  });
  afterAll(() => daemon.close());

  it('files.list combines every set of filters with AND', async () => {
    const world = makeWorld(daemon);
    for (const agentId of ['a1', 'a2']) await world.owner.makesAgent(agentId, { shared: true });
    const runIds = [
      await runs(world, 'a1', 'u1', 's1'),
      await runs(world, 'a2', 'u1', 's2'),
      await runs(world, 'a1', 'u2', 's1'),
    ];
    for (const userId of ['u1', 'u2']) {
      for (const purpose of ['agent_input', 'knowledge', 'agent_output']) {
        for (const more of [{}, { agentId: 'a1' }, { sessionId: 's1' }, { agentId: 'a1', sessionId: 's1' }]) {
          await world.owner.uploads('f.txt', `${userId} ${purpose}`, { userId, purpose, ...more });
        }
      }
    }
    const all = (await listed(world, 'limit=100')).data;
    expect(all).toHaveLength(27);
    const values: readonly Named[] = [
      { userId: 'u1', purpose: 'agent_output', agentId: 'a1', sessionId: 's1', runId: runIds[0] ?? '' },
      { userId: 'u2', purpose: 'knowledge', agentId: 'a2', sessionId: 's2', runId: runIds[1] ?? '' },
    ];
    let matched = 0;
    for (const wanted of values) {
      for (let set = 0; set < 2 ** FILTERS.length; set += 1) {
        const filters = FILTERS.filter((_, n) => (set & (1 << n)) !== 0);
        const expected = all.filter((file) => filters.every((filter) => file[filter] === wanted[filter]));
        const query = new URLSearchParams(Object.fromEntries(filters.map((filter) => [filter, wanted[filter] ?? ''])));
        expect([String(query), (await listed(world, `limit=100&${query}`)).data]).toEqual([String(query), expected]);
        matched += expected.length;
      }
    }
    expect(matched).toBeGreaterThan(100);
  });

  it('files.list goes on where it was, whatever comes and goes between two pages', async () => {
    const world = makeWorld(daemon);
    const ids: string[] = [];
    for (let n = 0; n < 9; n += 1) ids.unshift((await world.owner.uploads(`${n}.txt`, `${n}`)).id);
    const first = await listed(world, 'limit=3');
    expect(namesOf(first)).toEqual(['8.txt', '7.txt', '6.txt']);
    await world.owner.uploads('new.txt', 'x');
    // The file that the cursor was made of, one shown before, and one that was to come.
    for (const n of [2, 0, 4]) expect((await world.owner.does(`DELETE /v1/files/${ids[n]}`)).status).toBe(204);
    const second = await listed(world, `limit=3&cursor=${first.next_cursor}`);
    expect(namesOf(second)).toEqual(['5.txt', '3.txt', '2.txt']);
    const third = await listed(world, `limit=3&cursor=${second.next_cursor}`);
    expect(third).toMatchObject({ has_more: false });
    expect(namesOf(third)).toEqual(['1.txt', '0.txt']);
    expect(third).not.toHaveProperty('next_cursor');
    expect(namesOf(await listed(world, `limit=3&cursor=${first.next_cursor}`))).toEqual(namesOf(second));
  });

  it('files.list says at a page’s exact end that there is no more', async () => {
    const world = makeWorld(daemon);
    for (let n = 0; n < 2; n += 1) await world.owner.uploads(`${n}.txt`, '');
    expect(await listed(world, 'limit=2')).toMatchObject({ has_more: false });
    expect(await listed(world, 'limit=1')).toMatchObject({ has_more: true, next_cursor: expect.any(String) });
  });

  it('files.list shows with another tenant’s cursor, or a made-up one, nothing but its own', async () => {
    const [world, other] = [makeWorld(daemon), makeWorld(daemon)];
    await world.owner.uploads('mine.txt', 'x');
    for (let n = 0; n < 3; n += 1) await other.owner.uploads('theirs.txt', 'x');
    const { next_cursor: theirs = '' } = await listed(other, 'limit=1');
    expect(namesOf(await listed(world, `cursor=${theirs}`))).toEqual(['mine.txt']);
    const place = (text: string) => Buffer.from(text).toString('base64url');
    expect(namesOf(await listed(world, `cursor=${place('9999999999999 zzz')}`))).toEqual(['mine.txt']);
    expect(namesOf(await listed(world, `cursor=${place('0 zzz')}`))).toEqual([]);
  });

  it('files.list refuses cursors that no list of files gave', async () => {
    const world = makeWorld(daemon);
    for (const agentId of ['a1', 'a2']) await world.owner.makesAgent(agentId);
    const { body } = await world.owner.does('GET /agent?limit=1');
    const { next_cursor: ofAgents = '' } = body as { next_cursor: string };
    const texts = [
      '1 ',
      ' file_x',
      '-1 file_x',
      '1e3 file_x',
      '1 a b',
      '99999999999999999 x',
      `1 ${'x'.repeat(129)}`,
      "1 '--",
    ];
    const cursors = [
      ofAgents,
      'x',
      '%00',
      'AA==',
      'x'.repeat(9000),
      ...texts.map((text) => Buffer.from(text).toString('base64url')),
    ];
    for (const cursor of cursors) {
      const answer = await world.owner.does(`GET /v1/files?cursor=${cursor}`);
      expect([cursor, answer.status]).toEqual([cursor, 400]);
      expectProblem(answer, 'invalid_request');
    }
  });
});

const BOUNDS: readonly Scenario[] = [
  {
    name: 'files.list takes a limit of 1 to 1000, and refuses every other with 400',
    call: 'GET /v1/files?limit=1000',
    status: 200,
    body: { data: [], has_more: false },
    after: async ({ owner }) => {
      expect((await owner.does('GET /v1/files?limit=1')).status).toBe(200);
      for (const limit of ['0', '-1', '1001', '1.5', 'x', '', '1e2', '%201', '9999999999999999999']) {
        expectProblem(await owner.does(`GET /v1/files?limit=${limit}`), 'invalid_request');
      }
    },
  },
  {
    name: 'files.list takes filters in either spelling, and refuses an empty one or one in both',
    before: async ({ owner }) => {
      await owner.uploads('1.txt', '1', { userId: 'u1', sessionId: 's1' });
      await owner.uploads('2.txt', '2', { userId: 'u2', agentId: 'a1' });
      return undefined;
    },
    call: 'GET /v1/files?user_id=u1',
    status: 200,
    body: { data: [expect.objectContaining({ userId: 'u1' })], has_more: false },
    after: async (world) => {
      expect(namesOf(await listed(world, 'agent_id=a1'))).toEqual(['2.txt']);
      expect(namesOf(await listed(world, 'session_id=s1'))).toEqual(['1.txt']);
      expect(namesOf(await listed(world, 'run_id=run_x'))).toEqual([]);
      // A client whose variable is empty must not be shown the files of everybody.
      for (const query of [
        'userId=',
        'user_id=',
        'sessionId=',
        'agentId=',
        'runId=',
        'purpose=',
        'userId=u1&user_id=u1',
      ])
        expectProblem(await world.owner.does(`GET /v1/files?${query}`), 'invalid_request');
    },
  },
];

playScenarios('bounds of lists of files', import.meta.url, BOUNDS);
