import type { RunBody } from '../../support/actor.ts';
import { playScenarios, type Scenario } from '../../support/scenario.ts';

const RUNS = '/agent/a1/runs';
const pathsOf = (list: readonly Readonly<Record<string, unknown>>[]) => list.map(({ path }) => path);

const START: readonly Scenario[] = [
  {
    name: 'runs.start copies store paths, globs and files by id, and answers with the seed manifest',
    given: [
      'store/datasets/a.csv: 1,2',
      'store/datasets/deep/b.csv: 3',
      'store/datasets/c.txt: no',
      'store/one.txt: 1',
    ],
    before: async ({ owner }) => {
      await owner.uploads('unrelated.txt', 'x', { userId: 'u9' });
      return undefined;
    },
    call: `POST ${RUNS}`,
    json: {
      files: ['datasets/**/*.csv', { path: 'one.txt', to: '/in/1.txt', mode: 'ro' }],
      user_id: 'u1',
      session_id: 's1',
    },
    status: 201,
    golden: 'started',
    leaves: {
      a1: ['datasets/', 'datasets/a.csv: 1,2', 'datasets/deep/', 'datasets/deep/b.csv: 3', 'in/', 'in/1.txt: 1'],
    },
  },
  {
    name: 'runs.start puts the user’s agent_input files at /data, unless inputs says otherwise',
    before: async ({ owner }) => {
      const { id } = await owner.uploads('doc.txt', 'mine', { userId: 'u1' });
      await owner.uploads('other.txt', 'theirs', { userId: 'u2' });
      await owner.uploads('known.txt', 'kept elsewhere', { userId: 'u1', purpose: 'knowledge' });
      return { id };
    },
    call: `POST ${RUNS}`,
    json: { user_id: 'u1' },
    status: 201,
    leaves: { a1: ['data/', 'data/doc.txt: mine'] },
    after: async ({ owner }, { body }) => {
      const run = body as RunBody;
      expect(run.seeded).toEqual([
        expect.objectContaining({
          path: '/data/doc.txt',
          size: 4,
          source: { file_id: expect.stringMatching(/^file_/) },
        }),
      ]);
      await owner.finishesRun(run);
      expect((await owner.startsRun('a2', { user_id: 'u1', inputs: 'none' })).seeded).toEqual([]);
      const { id } = await owner.uploads('named.txt', 'x', { userId: 'u1' });
      const chosen = await owner.startsRun('a3', { userId: 'u1', inputs: [id] });
      expect(pathsOf(chosen.seeded)).toEqual(['/data/named.txt']);
      const byFile = await owner.startsRun('a4', { files: [{ fileId: id, to: 'x/y.txt' }] });
      expect(byFile.seeded).toEqual([expect.objectContaining({ path: '/x/y.txt', source: { file_id: id } })]);
    },
  },
  {
    name: 'runs.start with a missing path or file is 404 naming it, and changes nothing',
    given: ['store/a.txt: x', 'a1/mine.txt: m'],
    call: `POST ${RUNS}`,
    json: { files: ['a.txt', 'no/such.txt'] },
    status: 404,
    code: 'not_found',
    body: expect.objectContaining({ detail: expect.stringContaining('no/such.txt') }),
    leaves: { a1: ['mine.txt: m'] },
    after: async ({ owner }) => {
      for (const json of [{ files: ['none/*.csv'] }, { files: [{ file_id: 'file_no' }] }, { inputs: ['file_no'] }]) {
        expect((await owner.does(`POST ${RUNS}`, { json })).status).toBe(404);
      }
      expect((await owner.does(`GET ${RUNS}`)).body).toEqual({ runs: [] });
    },
  },
  {
    name: 'runs.start while one is live is 409',
    before: async ({ owner }) => {
      await owner.startsRun('a1');
      return undefined;
    },
    call: `POST ${RUNS}`,
    json: {},
    status: 409,
    code: 'run_live',
    after: async ({ owner }) => {
      const { body } = await owner.does('GET /agent/a1');
      expect(body).toMatchObject({ live_run_id: expect.stringMatching(/^run_/) });
    },
  },
  {
    name: 'runs.start of another user in an unshared workspace is 409',
    before: async ({ owner }) => {
      await owner.finishesRun(await owner.startsRun('a1', { user_id: 'u1' }));
      return undefined;
    },
    call: `POST ${RUNS}`,
    json: { user_id: 'u2' },
    status: 409,
    code: 'conflict',
    after: async ({ owner }) => {
      expect((await owner.startsRun('a1', { user_id: 'u1' })).user_id).toBe('u1');
      await owner.makesAgent('ours', { shared: true });
      await owner.finishesRun(await owner.startsRun('ours', { user_id: 'u1' }));
      await owner.startsRun('ours', { user_id: 'u2' });
    },
  },
  {
    name: 'runs.start over files that exist replaces, keeps or fails as on_conflict says',
    given: ['store/x.txt: new', 'a1/x.txt: old'],
    call: `POST ${RUNS}`,
    json: { files: ['x.txt'], on_conflict: 'fail' },
    status: 409,
    leaves: { a1: ['x.txt: old'] },
    after: async ({ owner }) => {
      await owner.finishesRun(await owner.startsRun('a1', { files: ['x.txt'], onConflict: 'keep' }));
      expect(await owner.reads('a1', 'x.txt')).toBe('old');
      await owner.startsRun('a1', { files: ['x.txt'] });
      expect(await owner.reads('a1', 'x.txt')).toBe('new');
    },
  },
  {
    name: 'runs.start beyond the quota is 507, and changes nothing',
    given: ['store/x.txt: 0123456789'],
    before: async ({ owner }) => {
      await owner.makesAgent('a1', { quota_bytes: 9 });
      return undefined;
    },
    call: `POST ${RUNS}`,
    json: { files: ['x.txt'] },
    status: 507,
    code: 'quota_exceeded',
    leaves: { a1: [] },
  },
  {
    name: 'runs.start refuses fields that are none with 400',
    call: `POST ${RUNS}`,
    json: { timeout_seconds: 0 },
    status: 400,
    code: 'invalid_request',
    after: async ({ owner, as }) => {
      for (const json of [
        { inputs: 'some' },
        { on_conflict: 'merge' },
        { capture: 'yes' },
        { capture: { include: 'x' } },
        { files: [{ path: 'a', to: '../b' }] },
        { files: [''] },
        { user_id: '' },
      ]) {
        expect((await owner.does(`POST ${RUNS}`, { json })).status).toBe(400);
      }
      const other = await as({ user: 'u1' }).does(`POST ${RUNS}`, { json: { user_id: 'u2' } });
      expect(other).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    },
  },
];

playScenarios('starting runs', import.meta.url, START);
