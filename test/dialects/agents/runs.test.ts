import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RunBody } from '../../support/actor.ts';
import { expectGolden, playScenarios, type Scenario, type World } from '../../support/scenario.ts';

/** The agent at work: a process beside the daemon that writes into the mounted directory. */
async function works(world: World, path: string, content: string): Promise<void> {
  const at = join(world.disk('a1'), path);
  await mkdir(dirname(at), { recursive: true });
  await writeFile(at, content);
}

/** A live run of a1, as `{run}`. */
const running =
  (wanted: object = {}) =>
  async ({ owner }: World) => ({ run: (await owner.startsRun('a1', wanted)).run_id });

const RUNS = '/agent/a1/runs';
const pathsOf = (list: readonly Readonly<Record<string, unknown>>[]) => list.map(({ path }) => path);

const FINISH: readonly Scenario[] = [
  {
    name: 'runs.finish captures what was made or changed, and nothing else',
    given: ['store/in.txt: in', 'a1/old.txt: old', 'a1/touched.txt: same'],
    before: async (world) => {
      const { run_id } = await world.owner.startsRun('a1', { files: ['in.txt'], user_id: 'u1', session_id: 's1' });
      await works(world, 'out/report.md', '# done');
      await works(world, 'old.txt', 'new');
      await works(world, '.hidden/x', 'left out');
      await works(world, 'node_modules/x/index.js', 'left out');
      await utimes(join(world.disk('a1'), 'touched.txt'), new Date(0), new Date(0));
      await rm(join(world.disk('a1'), 'in.txt'));
      return { run: run_id };
    },
    call: `POST ${RUNS}/{run}/finish`,
    json: { status: 'completed' },
    status: 200,
    after: async (world, { body }) => {
      const { owner } = world;
      const outputs = [...(body as RunBody).outputs].sort((a, b) => String(a.path).localeCompare(String(b.path)));
      await expectGolden(world, { ...(body as RunBody), outputs }, 'finished', import.meta.url);
      const report = (body as RunBody).outputs.find(({ path }) => path === '/out/report.md');
      expect((await owner.does(`GET /v1/files/${report?.id}/content`)).text).toBe('# done');
      const { body: listed } = await owner.does(`GET /v1/files?runId=${(body as RunBody).run_id}`);
      expect((listed as { data: unknown[] }).data).toHaveLength(2);
    },
  },
  {
    name: 'runs.finish again with the same status is the same 200, with another 409',
    before: running(),
    call: `POST ${RUNS}/{run}/finish`,
    status: 200,
    body: expect.objectContaining({ status: 'completed', outputs: [], skipped: [], finished_at: expect.any(String) }),
    after: async ({ owner }, { body }) => {
      const path = `POST ${RUNS}/${(body as RunBody).run_id}/finish`;
      expect(await owner.does(path, { json: { status: 'completed' } })).toMatchObject({ status: 200, body });
      const other = await owner.does(path, { json: { status: 'failed' } });
      expect(other).toMatchObject({ status: 409, body: { code: 'conflict' } });
      expect((await owner.does(path, { json: { status: 'done' } })).status).toBe(400);
    },
  },
  {
    name: 'runs.finish captures by include and exclude, or nothing with capture false',
    before: async (world) => {
      const { run_id } = await world.owner.startsRun('a1', { capture: { include: ['out/**'], exclude: ['**/*.tmp'] } });
      for (const path of ['out/a.txt', 'out/b.tmp', 'c.txt']) await works(world, path, path);
      return { run: run_id };
    },
    call: `POST ${RUNS}/{run}/finish`,
    json: {},
    status: 200,
    after: async (world, { body }) => {
      expect(pathsOf((body as RunBody).outputs)).toEqual(['/out/a.txt']);
      const off = await world.owner.startsRun('a1', { capture: false });
      await works(world, 'out/d.txt', 'd');
      expect((await world.owner.finishesRun(off, 'cancelled')).outputs).toEqual([]);
    },
  },
  {
    name: 'runs.finish of an unknown run, or one of another agent, is 404',
    before: running(),
    call: `POST ${RUNS}/run_unknown/finish`,
    json: {},
    status: 404,
    code: 'not_found',
    after: async ({ owner }) => {
      const { run_id } = await owner.startsRun('a2');
      expect((await owner.does(`POST ${RUNS}/${run_id}/finish`, { json: {} })).status).toBe(404);
      expect((await owner.does(`GET ${RUNS}/${run_id}`)).status).toBe(404);
    },
  },
  {
    name: 'runs.finish of an ephemeral workspace keeps the outputs and removes the tree',
    before: async (world) => {
      await world.owner.makesAgent('a1', { lifecycle: 'ephemeral' });
      const { run_id } = await world.owner.startsRun('a1');
      await works(world, 'out.txt', 'kept');
      return { run: run_id };
    },
    call: `POST ${RUNS}/{run}/finish`,
    status: 200,
    after: async ({ owner }, { body }) => {
      const [output] = (body as RunBody).outputs;
      expect((await owner.does(`GET /v1/files/${output?.id}/content`)).text).toBe('kept');
      expect((await owner.does('GET /agent/a1/filesystem/files/out.txt')).status).toBe(404);
    },
  },
];

const READ: readonly Scenario[] = [
  {
    name: 'runs.get pages seeded and outputs by cursors of their own',
    given: ['store/in/1: 1', 'store/in/2: 2', 'store/in/3: 3'],
    before: async (world) => {
      const run = await world.owner.startsRun('a1', { files: ['in'] });
      for (const n of [1, 2, 3]) await works(world, `out/${n}`, `${n}`);
      await world.owner.finishesRun(run);
      return { run: run.run_id };
    },
    call: `GET ${RUNS}/{run}?limit=2`,
    status: 200,
    after: async ({ owner }, { body }) => {
      const first = body as RunBody;
      expect(first.seeded).toHaveLength(2);
      expect(first.outputs).toHaveLength(2);
      const cursors = `seeded_cursor=${first.seeded_next_cursor}&outputs_cursor=${first.outputs_next_cursor}`;
      const rest = (await owner.does(`GET ${RUNS}/${first.run_id}?limit=2&${cursors}`)).body as RunBody;
      expect([...pathsOf(first.seeded), ...pathsOf(rest.seeded)].sort()).toEqual(['/in/1', '/in/2', '/in/3']);
      expect([...pathsOf(first.outputs), ...pathsOf(rest.outputs)].sort()).toEqual(['/out/1', '/out/2', '/out/3']);
      expect(rest).not.toHaveProperty('seeded_next_cursor');
      expect(rest).not.toHaveProperty('outputs_next_cursor');
    },
  },
  {
    name: 'runs.get of an unknown run is 404',
    given: ['a1/'],
    call: `GET ${RUNS}/run_no`,
    status: 404,
    code: 'not_found',
  },
  {
    name: 'runs.list shows the newest first, paged; of an agent that never was it is 404',
    before: async ({ owner }) => {
      for (const session_id of ['s1', 's2', 's3']) await owner.finishesRun(await owner.startsRun('a1', { session_id }));
      return undefined;
    },
    call: `GET ${RUNS}?limit=2`,
    status: 200,
    after: async ({ owner }, { body }) => {
      const first = body as { runs: RunBody[]; next_cursor: string };
      expect(first.runs.map((run) => run.session_id)).toEqual(['s3', 's2']);
      expect(first.runs[0]).toMatchObject({
        agent_id: 'a1',
        status: 'completed',
        seeded: [],
        outputs: [],
        skipped: [],
      });
      const rest = (await owner.does(`GET /v1${RUNS}?limit=2&cursor=${first.next_cursor}`)).body as typeof first;
      expect(rest.runs.map((run) => run.session_id)).toEqual(['s1']);
      expect(rest).not.toHaveProperty('next_cursor');
      expect((await owner.does('GET /agent/never-was/runs')).status).toBe(404);
    },
  },
  {
    name: 'runs.heartbeat says the run is alive: 200, and 409 once it has finished',
    before: running({ session_id: 's1' }),
    call: `POST ${RUNS}/{run}/heartbeat`,
    status: 200,
    golden: 'heartbeat',
    after: async ({ owner }, { body }) => {
      const { run_id } = await owner.finishesRun(body as RunBody);
      const late = await owner.does(`POST ${RUNS}/${run_id}/heartbeat`);
      expect(late).toMatchObject({ status: 409, body: { code: 'conflict' } });
      expect((await owner.does(`POST ${RUNS}/run_no/heartbeat`)).status).toBe(404);
    },
  },
];

playScenarios('runs', import.meta.url, [...FINISH, ...READ]);
