import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { until } from '../support/wait.ts';
import { makeContent } from './content.ts';
import { Fleet, momentOf, pause, ROUNDS, victims } from './fleet.ts';

const OUTPUTS = 60;

interface RunBody {
  readonly run_id: string;
  readonly status: string;
  readonly outputs: readonly { readonly path: string; readonly sha256: string; readonly id: string }[];
}

/** The agent's work: files written straight into the mounted directory. */
async function work(fleet: Fleet, round: number): Promise<Map<string, string>> {
  const tree = fleet.tree('agents', 'a1');
  await rm(join(tree, 'out'), { recursive: true, force: true });
  const expected = new Map<string, string>();
  for (let n = 0; n < OUTPUTS; n++) {
    const name = `out/part-${n % 5}/result-${n}`;
    const body = makeContent(name, round + 1, 10_000 + n);
    await mkdir(dirname(join(tree, name)), { recursive: true });
    await writeFile(join(tree, name), body);
    expected.set(`/${name}`, createHash('sha256').update(body).digest('hex'));
  }
  return expected;
}

async function ended(fleet: Fleet, id: string): Promise<RunBody> {
  const read = () => fleet.json<RunBody>(`/agent/a1/runs/${id}?limit=1000`);
  const { status } = await read();
  // The kill may have come before the daemon read the request: then the run is as live as before, and is finished now.
  if (status === 'running') {
    await fleet.json(`/agent/a1/runs/${id}/finish`, 'POST', { status: 'completed' }).catch(() => null);
  }
  await until(async () => (await read()).status === 'completed', 'the finish is completed', 15_000);
  return read();
}

describe.each(victims('worker'))('kill -9 of a %s during finishes', (victim) => {
  it(
    `runs.finish: ${ROUNDS} kills lose no output and capture none twice`,
    async () => {
      await using fleet = await Fleet.start(victim);
      await fleet.json('/agent', 'POST', { agent_id: 'a1' });
      for (let round = 0; round < ROUNDS; round++) {
        const run = await fleet.json<RunBody>('/agent/a1/runs', 'POST', {});
        const expected = await work(fleet, round);
        const finishing = fleet
          .json(`/agent/a1/runs/${run.run_id}/finish`, 'POST', { status: 'completed' })
          .catch(() => null);
        await pause(momentOf(round, 500));
        await fleet.strike();
        await finishing;
        const { outputs } = await ended(fleet, run.run_id);
        expect(new Map(outputs.map((output) => [output.path, output.sha256]))).toEqual(expected);
        expect(outputs).toHaveLength(OUTPUTS);
        for (const output of outputs.slice(0, 5)) {
          const bytes = await (await fleet.request(`/v1/files/${output.id}/content`)).arrayBuffer();
          expect(createHash('sha256').update(Buffer.from(bytes)).digest('hex')).toBe(output.sha256);
        }
        await fleet.expectClean();
      }
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 10_000,
  );
});
