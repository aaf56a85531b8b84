import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventType } from '../../../src/core/core.ts';
import { openWeb } from '../../../src/web/web.ts';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { HOOK_SECRET, type Message, type Receiver, startReceiver } from '../../support/receiver.ts';
import { bringAbout, expectGolden, makeWorld, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';
import { put, reserve } from '../slots/reserved.ts';

const ADMIN = { scope: 'admin' };

describe('events as a webhook gets them', () => {
  let daemon: TestDaemon;
  let receiver: Receiver;
  let world: World;
  beforeAll(async () => {
    receiver = await startReceiver(5000);
    daemon = await startTestDaemon({ web: openWeb(receiver.web) });
  });
  afterAll(async () => {
    await daemon.close();
    await receiver.close();
  });
  beforeEach(() => {
    world = makeWorld(daemon);
  });

  async function listens(...events: EventType[]): Promise<void> {
    const json = { url: receiver.url, events, secret: HOOK_SECRET };
    expect([200, 201]).toContain((await world.as(ADMIN).does('PUT /v1/webhooks', { json })).status);
  }
  const heard = () => receiver.received.filter(({ event }) => event.tenant === world.tenant);
  async function hears(count: number): Promise<readonly Message[]> {
    await until(() => heard().length >= count, `${count} events`);
    expect(heard()).toHaveLength(count);
    return heard();
  }
  const limits = (json: object) => world.as(ADMIN).does(`PUT /admin/tenants/${world.tenant}`, { json });

  it('webhooks.put has a knowledge file announced to whoever ingests it', async () => {
    await listens('file.created');
    await world.owner.uploads('report.csv', 'a,b\n1,2\n', { userId: 'user_42', purpose: 'knowledge', agentId: 'a1' });
    const [message] = await hears(1);
    await expectGolden(world, message?.event, 'file-created', import.meta.url);
    expect(message?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-workspaced-event': 'file.created',
      'x-workspaced-event-id': message?.event.id,
    });
    expect(message?.isSignedWith(HOOK_SECRET)).toBe(true);
    const content = await world.owner.does(`GET /v1/files/${message?.event.data.id}/content`);
    expect(content.text).toBe('a,b\n1,2\n');
  });

  it('webhooks.put has a file announced whichever dialect made it, and a slot only when it is filled', async () => {
    await listens('file.created');
    const { owner } = world;
    const form = [{ name: 'file', value: 'media', filename: 'a.txt' }];
    expect((await owner.does('POST /media/v1/files/upload', { form })).status).toBe(200);
    const json = { content: Buffer.from('json').toString('base64'), filename: 'b.txt', user_id: 'u1' };
    expect((await owner.does('POST /v1/files', { json })).status).toBe(201);
    const slot = await reserve(world);
    await hears(2);
    expect((await put(world, slot, '0123456789')).status).toBe(200);
    const filled = (await hears(3)).at(-1)?.event.data;
    expect(filled).toMatchObject({ id: slot.file_id, size: 10, purpose: null, mime_type: 'text/plain' });
    expect(heard().map(({ event }) => event.data.filename)).toEqual(expect.arrayContaining(['a.txt', 'b.txt']));
  });

  it('webhooks.put has runs announced from their start to their end, and what was captured', async () => {
    await listens('run.started', 'run.finished', 'file.created');
    await world.owner.stores('in.txt', 'twelve bytes');
    const run = await world.owner.startsRun('a1', { files: ['in.txt'], session_id: 's1' });
    await hears(1);
    await writeFile(join(world.disk('a1'), 'out.txt'), 'out');
    await world.owner.finishesRun(run, 'failed');
    await world.owner.finishesRun(run, 'failed');
    const events = (await hears(3)).map(({ event }) => event);
    for (const type of ['run.started', 'run.finished'] as const) {
      const event = events.find((one) => one.type === type);
      await expectGolden(world, event, type.replace('.', '-'), import.meta.url);
    }
    const captured = events.find(({ type }) => type === 'file.created');
    expect(captured?.data).toMatchObject({ purpose: 'agent_output', run_id: run.run_id, path: '/out.txt' });
  });

  it('webhooks.put has a quota announced at 80 and at 90 %, once on the way up', async () => {
    await listens('quota.warning');
    await limits({ quota_bytes: 1_000_000 });
    await world.owner.makesAgent('a1', { quota_files: 5 });
    await world.owner.stores('a', Buffer.alloc(790_000, 'x'));
    await world.owner.stores('b', Buffer.alloc(50_000, 'x'));
    const [warning] = await hears(1);
    const data = { account: 'tenant', agent_id: null, unit: 'bytes', threshold: 80, limit: 1_000_000 };
    expect(warning?.event).toMatchObject({ type: 'quota.warning', data: { ...data, used: expect.any(Number) } });
    await expectGolden(
      world,
      { ...warning?.event, data: { ...warning?.event.data, used: '<bytes>' } },
      'quota-warning',
      import.meta.url,
    );
    await world.owner.stores('c', Buffer.alloc(10_000, 'x'));
    await world.owner.does('DELETE /api/v1/files?path=b');
    await limits({ quota_bytes: 870_000 });
    expect((await hears(2)).at(-1)?.event.data).toMatchObject({ threshold: 90, limit: 870_000 });
    for (const n of [1, 2, 3, 4, 5]) await bringAbout(world, `a1/${n}.txt: x`);
    const files = (await hears(4)).slice(2).map(({ event }) => event.data);
    const workspace = { account: 'workspace', agent_id: 'a1', unit: 'files', limit: 5 };
    expect(files.sort((one, other) => Number(one.used) - Number(other.used))).toEqual([
      { ...workspace, threshold: 80, used: 4 },
      { ...workspace, threshold: 90, used: 5 },
    ]);
  });

  it('webhooks.put has a quota announced that a process in the mount comes close to', async () => {
    await world.owner.makesAgent('a1', { quota_bytes: 10_000 });
    await listens('quota.warning');
    await writeFile(join(world.disk('a1'), 'big'), Buffer.alloc(9000, 'x'));
    await world.as(ADMIN).does(`POST /admin/tenants/${world.tenant}/rescan`);
    const thresholds = (await hears(2)).map(({ event }) => event.data.threshold);
    expect(thresholds.sort()).toEqual([80, 90]);
  });

  it('webhooks.get and the metrics count what came of it', async () => {
    const series = 'workspaced_webhook_events_total';
    await listens('file.created');
    receiver.answer = ({ event }) => (event.tenant === world.tenant ? 500 : 200);
    await world.owner.uploads('a', 'x');
    const state = async () => (await world.as(ADMIN).does('GET /v1/webhooks')).body;
    const failed = async () => ((await state()) as { last_failure: unknown }).last_failure !== null;
    await until(failed, 'a failure');
    const reason = expect.stringMatching(/^hooks\.example:\d+ answered 500$/);
    expect(await state()).toMatchObject({ pending: 1, last_failure: { reason } });
    receiver.answer = () => 200;
    await listens('file.created');
    await hears(1);
    await until(async () => ((await state()) as { pending: unknown }).pending === 0, 'nothing waits');
    const { text } = await world.owner.does('GET /metrics');
    for (const outcome of ['received', 'failed'])
      expect(text).toMatch(new RegExp(`${series}{outcome="${outcome}"} [1-9]`));
  });
});
