import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { TestDaemon } from '../../../support/daemon.ts';
import { startTestDaemon } from '../../../support/daemon.ts';
import { makeWorld, type World } from '../../../support/scenario.ts';
import { until } from '../../../support/wait.ts';

const KB = 1024;

/** The value of one series, or null where there is none. */
async function metric({ owner }: World, series: string): Promise<number | null> {
  const { text } = await owner.does('GET /metrics');
  const line = text.split('\n').find((line) => line.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}

/** An upload that waits, with everything but its end on the way. */
function upload({ daemon, tenant }: World, target: string, bytes: number) {
  const headers = { authorization: `Bearer ${daemon.token({ tenant })}`, 'content-type': 'application/octet-stream' };
  const outgoing = request(`${daemon.url}${target}`, { method: 'PUT', headers });
  const status = new Promise<number | undefined>((resolve) => {
    outgoing.on('response', (incoming) => resolve(incoming.resume().statusCode));
    outgoing.on('error', () => resolve(undefined));
  });
  outgoing.write(Buffer.alloc(bytes));
  return { outgoing, status };
}

describe('ops.metrics', () => {
  let daemon: TestDaemon;
  let world: World;
  beforeEach(async () => {
    daemon = await startTestDaemon();
    world = makeWorld(daemon);
  });
  afterEach(() => daemon.close());

  it('counts a run from its copy-in to its capture', async () => {
    const { owner } = world;
    await owner.stores('in.txt', 'twelve bytes');
    const run = await owner.startsRun('a1', { files: ['in.txt'] });
    await until(async () => (await metric(world, 'workspaced_watched_directories')) === 1, 'the watching of the root');
    await writeFile(join(world.disk('a1'), 'out.txt'), 'out');
    await writeFile(join(world.disk('a1'), 'more.txt'), 'more');
    await owner.finishesRun(run);
    await owner.finishesRun(run);
    const series = {
      'workspaced_runs_total{status="running"}': 1,
      'workspaced_runs_total{status="completed"}': 1,
      workspaced_copy_in_seconds_count: 1,
      workspaced_copy_in_bytes_total: 12,
      workspaced_capture_seconds_count: 1,
      workspaced_captured_files_total: 2,
      workspaced_watched_directories: 0,
      workspaced_staged_bytes: 0,
    };
    for (const [name, value] of Object.entries(series))
      expect([name, await metric(world, name)]).toEqual([name, value]);
  });

  it('counts neither a run nor a copy-in that was refused', async () => {
    await world.owner.does('POST /agent/a1/runs', { json: { files: ['missing.txt'] } });
    expect(await metric(world, 'workspaced_runs_total{status="running"}')).toBeNull();
    expect(await metric(world, 'workspaced_copy_in_seconds_count')).toBe(0);
  });

  it('counts a refusal for lack of room once', async () => {
    const admin = world.as({ scope: 'admin' });
    await admin.does(`PUT /admin/tenants/${world.tenant}`, { json: { quota_bytes: 10 } });
    const form = [{ name: 'files', filename: 'big', value: 'x'.repeat(11) }];
    expect((await world.owner.does('POST /api/v1/files/upload', { form })).status).toBe(507);
    expect(await metric(world, 'workspaced_quota_refusals_total')).toBe(1);
  });

  it('tells the bytes that are received and in no tree yet, until they are placed or their client goes', async () => {
    await world.owner.makesAgent('a1');
    const target = '/agent/a1/filesystem/files/f?upsert=true&raw=true';
    for (const ending of ['placed', 'abandoned']) {
      const { outgoing, status } = upload(world, target, 100 * KB);
      await until(async () => (await metric(world, 'workspaced_staged_bytes')) === 100 * KB, 'the bytes on their way');
      if (ending === 'placed') outgoing.end();
      else outgoing.destroy();
      expect(await status).toBe(ending === 'placed' ? 200 : undefined);
      await until(async () => (await metric(world, 'workspaced_staged_bytes')) === 0, `none staged once ${ending}`);
    }
  });

  it('counts what the sweeper took away', async () => {
    const { owner } = world;
    await owner.makesAgent('a1', { expires_after: 1 });
    await owner.uploads('a.txt', 'x', { expires_after: '1' });
    const swept = (kind: string) => metric(world, `workspaced_swept_total{kind="${kind}"}`);
    await until(async () => (await swept('agent')) === 1, 'the sweeping of an expired workspace', 20_000);
    await until(async () => (await swept('object')) === 1, 'the sweeping of an expired file', 20_000);
  });
});
