import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileBody } from '../../support/actor.ts';
import { linesOf, playScenarios, type Scenario } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

const listed = (body: unknown) => (body as { data: FileBody[] }).data;

/** files.md: into the sandbox and out of it. */
const TIES: readonly Scenario[] = [
  {
    name: 'files.create of an agent_input while its user’s run is live puts it into the workspace',
    before: async ({ owner }) => {
      await owner.startsRun('a1', { user_id: 'u1' });
      return undefined;
    },
    call: 'POST /v1/files',
    json: { user_id: 'u1', filename: 'late.txt', content: Buffer.from('late').toString('base64') },
    status: 201,
    after: async ({ owner, disk }) => {
      await until(async () => (await linesOf(disk('a1'))).includes('data/late.txt: late'), 'the file is delivered');
      await owner.uploads('other.txt', 'not here', { userId: 'u2' });
      await owner.uploads('kept.txt', 'not here', { userId: 'u1', purpose: 'knowledge' });
      expect(await linesOf(disk('a1'))).toEqual(['data/', 'data/late.txt: late']);
    },
  },
  {
    name: 'runs.start gives the newest of two inputs the name, and the older one with its id in it',
    before: async ({ owner }) => {
      await owner.uploads('in.txt', 'older');
      await owner.uploads('in.txt', 'newer');
      return undefined;
    },
    call: 'POST /agent/a1/runs',
    json: { user_id: 'u1' },
    status: 201,
    after: async ({ disk }) => {
      const lines = (await linesOf(disk('a1'))).filter((line) => line.includes(': '));
      expect(lines).toContainEqual('data/in.txt: newer');
      expect(lines).toContainEqual(expect.stringMatching(/^data\/in-\w+\.txt: older$/));
    },
  },
  {
    name: 'runs.get shows an output while the run goes on, and files.list finds it',
    before: async ({ owner, disk }) => {
      const { run_id } = await owner.startsRun('a1', { user_id: 'u1', session_id: 's1' });
      await mkdir(join(disk('a1'), 'out'));
      await writeFile(join(disk('a1'), 'out/draft.md'), 'first draft');
      const found = async () => listed((await owner.does(`GET /v1/files?runId=${run_id}`)).body);
      await until(async () => (await found()).length === 1, 'the output is captured live', 20_000);
      return { run: run_id };
    },
    call: 'GET /agent/a1/runs/{run}',
    status: 200,
    body: expect.objectContaining({
      status: 'running',
      outputs: [
        expect.objectContaining({ path: '/out/draft.md', purpose: 'agent_output', user_id: 'u1', session_id: 's1' }),
      ],
    }),
    after: async ({ as }) => {
      const own = await as({ agent: 'a1' }).does('GET /v1/files?purpose=agent_output');
      expect(listed(own.body)).toHaveLength(1);
      expect(listed((await as({ agent: 'a2' }).does('GET /v1/files')).body)).toHaveLength(0);
    },
  },
  {
    name: 'files.delete leaves the copy in a workspace alone',
    before: async ({ owner }) => {
      const { id } = await owner.uploads('in.txt', 'input');
      await owner.startsRun('a1', { user_id: 'u1' });
      return { id };
    },
    call: 'DELETE /v1/files/{id}',
    status: 204,
    leaves: { a1: ['data/', 'data/in.txt: input'] },
  },
  {
    name: 'store.upload after a copy changes no workspace, and no agent changes the store',
    given: ['store/x.txt: one'],
    before: async ({ owner }) => {
      await owner.startsRun('a1', { files: ['x.txt'] });
      await owner.writes('a1', 'x.txt', 'two, by the agent');
      return undefined;
    },
    call: 'POST /api/v1/files/upload',
    form: [{ name: 'files', filename: 'x.txt', value: 'three, by the tenant' }],
    status: 200,
    leaves: { a1: ['x.txt: two, by the agent'], store: ['x.txt: three, by the tenant'] },
  },
];

playScenarios('the ties between files and workspaces', import.meta.url, TIES);
