import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { until } from '../support/wait.ts';
import { makeContent, versionOf } from './content.ts';
import { Fleet, momentOf, pause, ROUNDS, victims } from './fleet.ts';

const SEEDS = 120;
const OLD = 1;
const NEW = 2;

const nameOf = (n: number) => `in/part-${n % 10}/file-${n}`;

interface RunBody {
  readonly run_id: string;
  readonly status: string;
}

async function fillStore(fleet: Fleet): Promise<void> {
  const form = new FormData();
  for (let n = 0; n < SEEDS; n++) {
    form.append('files', new Blob([new Uint8Array(makeContent(nameOf(n), NEW, 20_000))]), nameOf(n));
  }
  const response = await fleet.request('/api/v1/files/upload', { method: 'POST', body: form });
  expect(response.status).toBe(200);
}

/** The workspace as it was before any run: half the destinations exist with old content, one file is the agent's own. */
async function resetWorkspace(fleet: Fleet): Promise<Map<string, Buffer>> {
  const tree = fleet.tree('agents', 'a1');
  await rm(join(tree, 'in'), { recursive: true, force: true });
  const before = new Map<string, Buffer>([['mine.txt', makeContent('mine.txt', OLD, 10)]]);
  for (let n = 0; n < SEEDS; n += 2) before.set(nameOf(n), makeContent(nameOf(n), OLD, 5_000));
  for (const [name, body] of before) {
    await mkdir(dirname(join(tree, name)), { recursive: true });
    await writeFile(join(tree, name), body);
  }
  return before;
}

async function expectSeeded(fleet: Fleet): Promise<void> {
  const files = await fleet.filesIn('agents', 'a1');
  for (let n = 0; n < SEEDS; n++) expect(versionOf(nameOf(n), files.get(nameOf(n)) ?? Buffer.alloc(0))).toBe(NEW);
}

/** What became of the start that the kill interrupted. */
async function settledRun(fleet: Fleet): Promise<RunBody | null> {
  const newest = async () => (await fleet.json<{ runs: RunBody[] }>('/agent/a1/runs?limit=1')).runs[0] ?? null;
  await until(async () => (await newest())?.status !== 'preparing', 'a run left preparing is rolled back', 20_000);
  return newest();
}

describe.each(victims('daemon'))('kill -9 of a %s during run starts', (victim) => {
  it(
    `runs.start: ${ROUNDS} kills leave the seeds whole or what was there before`,
    async () => {
      await using fleet = await Fleet.start(victim);
      await fleet.json('/agent', 'POST', { agent_id: 'a1' });
      await fillStore(fleet);
      const outcomes = { running: 0, rolledBack: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const before = await resetWorkspace(fleet);
        const starting = fleet.json<RunBody>('/agent/a1/runs', 'POST', { files: ['in'] }).catch(() => null);
        await pause(momentOf(round, 600));
        await fleet.strike();
        const acknowledged = await starting;
        const run = await settledRun(fleet);
        if (acknowledged !== null) expect(run).toMatchObject({ run_id: acknowledged.run_id, status: 'running' });
        if (run?.status === 'running') {
          await expectSeeded(fleet);
          await fleet.json(`/agent/a1/runs/${run.run_id}/finish`, 'POST', { status: 'cancelled' });
          outcomes.running += 1;
        } else {
          expect(await fleet.filesIn('agents', 'a1')).toEqual(before);
          outcomes.rolledBack += 1;
        }
        await fleet.rescan(false); // the test itself wrote behind the daemon's back
        await fleet.expectClean();
      }
      // Which of two workers has the start in hand is chance.
      if (victim === 'daemon') expect(outcomes.rolledBack).toBeGreaterThan(0);
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 10_000,
  );
});
