import { existsSync, writeFileSync } from 'node:fs';
import type { Grant } from '../../src/auth/grant.ts';
import { parseAgentId, type RunId } from '../../src/ids.ts';
import { DATABASES } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { AGENT, fromObject, fromStore, House, Site, wantedRun } from './house.ts';

describe.each(DATABASES)('runs on $name', (kind) => {
  let site: Site;
  let house: House;

  beforeAll(async () => {
    site = await Site.open(kind);
  });

  afterAll(() => site.close());

  beforeEach(async () => {
    house = await House.open(site);
    await house.store({ 'a.txt': 'A' });
  });

  const get = (id: RunId) => house.runs.get(house.grant, AGENT, id);

  it('runs.start lets one of several win the workspace: the others are run_live', async () => {
    const seeds = [fromStore('a.txt')];
    const starts = await Promise.allSettled([1, 2, 3, 4].map(() => house.start({ seeds })));
    const won = starts.filter((start) => start.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const start of starts)
      if (start.status === 'rejected') expect(start.reason).toMatchObject({ code: 'run_live' });
    const { items } = await house.runs.list(house.grant, AGENT, { limit: 9, cursor: null });
    expect(items.map(({ status }) => status)).toEqual(['running']);
  });

  it('runs.list gives the newest first, in pages, and runs.get only the run of this agent', async () => {
    const ids: RunId[] = [];
    for (let n = 0; n < 3; n++) ids.unshift((await house.finish(await house.start())).id);
    const first = await house.runs.list(house.grant, AGENT, { limit: 2, cursor: null });
    const second = await house.runs.list(house.grant, AGENT, { limit: 2, cursor: first.next });
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
    expect(second.next).toBeNull();
    const [id] = ids;
    if (id === undefined) throw new Error('no run');
    await expect(house.runs.get(house.grant, parseAgentId('other'), id)).rejects.toMatchObject({ code: 'not_found' });
    const foreign = await House.open(site);
    await expect(foreign.runs.get(foreign.grant, AGENT, id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('runs.finish answers the same status again, also to several at once, and refuses another', async () => {
    const run = await house.start();
    writeFileSync(house.disk('out.txt'), 'x');
    const ends = await Promise.all([1, 2, 3].map(() => house.finish(run)));
    expect(new Set(ends.map((end) => JSON.stringify(end))).size).toBe(1);
    expect(ends[0]).toMatchObject({ status: 'completed', finishedAt: expect.any(Date) });
    expect(await house.outputs(run)).toEqual(['out.txt: x']);
    await expect(house.finish(run, 'failed')).rejects.toMatchObject({ code: 'conflict' });
    expect(await house.finish(run)).toEqual(ends[0]);
    await expect(house.runs.heartbeat(house.grant, AGENT, run.id)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('runs.finish makes the ledger true to what the agent wrote', async () => {
    const run = await house.start({ seeds: [fromStore('a.txt')] });
    writeFileSync(house.made('dir/out.txt'), 'x'.repeat(1000));
    expect(await house.usage()).toMatchObject({ bytes: 1, files: 1 });
    await house.finish(run);
    expect(await house.usage()).toMatchObject({ bytes: 1001, files: 3 });
  });

  it('a run past its timeout is captured and fails; a heartbeat starts the timeout anew', async () => {
    const run = await house.start({ timeoutSeconds: 60 });
    writeFileSync(house.disk('out.txt'), 'x');
    house.pass(50);
    await house.runs.heartbeat(house.grant, AGENT, run.id);
    house.pass(50);
    await house.runs.sweep();
    expect((await get(run.id)).status).toBe('running');
    house.pass(11);
    await house.runs.sweep();
    expect((await get(run.id)).status).toBe('failed');
    expect(await house.outputs(run)).toEqual(['out.txt: x']);
    expect((await house.start()).status).toBe('running');
  });

  it('a running run outlives its process, and a finish that was cut off is completed', async () => {
    const gone = house.another('gone');
    const run = await gone.runs.start(house.grant, AGENT, wantedRun({}));
    await gone.runs.close();
    writeFileSync(house.disk('out.txt'), 'x');
    await house.runs.resume();
    expect((await get(run.id)).status).toBe('running');
    await house.db
      .updateTable('runs')
      .set({ finishing: 'cancelled', instance: 'gone' })
      .where('id', '=', run.id)
      .execute();
    await expect(house.runs.heartbeat(house.grant, AGENT, run.id)).rejects.toMatchObject({ code: 'conflict' });
    await house.runs.recover(['gone']);
    expect(await house.finish(run, 'cancelled')).toMatchObject({ status: 'cancelled' });
    expect(await house.outputs(run)).toEqual(['out.txt: x']);
  });

  it('a preparation that its own process had to give up is rolled back by the next sweep', async () => {
    const run = await house.start();
    await house.db.updateTable('runs').set({ status: 'preparing' }).where('id', '=', run.id).execute();
    await house.runs.sweep();
    expect((await get(run.id)).status).toBe('failed');
    expect((await house.start()).status).toBe('running');
  });

  it('two processes that finish one run while it is captured live give one result, each output once', async () => {
    const [one, two] = [await house.member(`one-${house.tenant}`), await house.member(`two-${house.tenant}`)];
    const run = await one.runs.start(house.grant, AGENT, wantedRun({}));
    for (let n = 0; n < 60; n++) writeFileSync(house.made(`out/${n}`), `${n}`);
    await until(async () => (await house.outputs(run)).length > 0, 'live capture has begun');
    const ends = await Promise.all([
      two.runs.finish(house.grant, AGENT, run.id, 'completed'),
      one.runs.finish(house.grant, AGENT, run.id, 'completed'),
    ]);
    expect(ends[0]).toEqual(ends[1]);
    expect(await house.outputs(run)).toHaveLength(60);
    await Promise.all([one.runs.close(), two.runs.close()]);
  });

  it('an ephemeral workspace is gone after its run, which can still be read', async () => {
    await house.parts.agents.create(house.tenant, { agentId: AGENT, lifecycle: 'ephemeral' });
    const run = await house.start({ seeds: [fromStore('a.txt')] });
    writeFileSync(house.disk('out.txt'), 'kept');
    const ended = await house.finish(run);
    expect(ended.status).toBe('completed');
    expect(existsSync(house.disk())).toBe(false);
    expect(await house.outputs(run)).toEqual(['out.txt: kept']);
    expect(await house.finish(run)).toEqual(ended);
    expect(await house.seeded(run)).toEqual(['a.txt']);
    expect((await house.start()).status).toBe('running');
  });

  it('an ephemeral workspace that a crash left after its run is swept', async () => {
    await house.parts.agents.create(house.tenant, { agentId: AGENT, lifecycle: 'ephemeral' });
    const run = await house.start();
    await house.db.updateTable('runs').set({ status: 'completed', finished_at: 1 }).where('id', '=', run.id).execute();
    expect(existsSync(house.disk())).toBe(true);
    await house.runs.sweep();
    expect(existsSync(house.disk())).toBe(false);
  });

  it('agents.remove by force cancels the live run, uncaptured', async () => {
    const run = await house.start();
    writeFileSync(house.disk('out.txt'), 'x');
    await expect(house.parts.agents.remove(house.tenant, AGENT, { force: false })).rejects.toMatchObject({
      code: 'run_live',
    });
    await house.parts.agents.remove(house.tenant, AGENT, { force: true });
    await expect(get(run.id)).rejects.toMatchObject({ code: 'not_found' });
    expect(existsSync(house.disk())).toBe(false);
    expect((await house.start()).status).toBe('running');
  });

  describe('users', () => {
    it('the first user of a workspace owns it: runs of others are conflicts', async () => {
      const run = await house.start({ userId: 'u1' });
      await house.finish(run);
      await expect(house.start({ userId: 'u2' })).rejects.toMatchObject({ code: 'conflict' });
      // Whoever says no user runs as the owner.
      expect(await house.finish(await house.start())).toMatchObject({ userId: 'u1' });
    });

    it('a refused start leaves the workspace without an owner', async () => {
      await house.finish(await house.start());
      await expect(house.start({ userId: 'u1', inputs: ['file_0' as never] })).rejects.toMatchObject({
        code: 'not_found',
      });
      expect(await house.start({ userId: 'u2' })).toMatchObject({ userId: 'u2' });
    });

    it('a shared workspace takes every user, and gives none the inputs of another', async () => {
      await house.parts.agents.create(house.tenant, { agentId: AGENT, shared: true });
      await house.upload('mine', { filename: 'mine.txt', userId: 'u1' });
      const asked = await house.upload('asked', { filename: 'asked.txt', userId: 'u1' });
      const run = await house.start({ userId: 'u1', seeds: [fromObject(asked.id), fromStore('a.txt')] });
      expect(await house.seeded(run)).toEqual(['a.txt', 'data/asked.txt', 'data/mine.txt']);
      writeFileSync(house.disk('data/mine.txt'), 'edited');
      await house.finish(run);
      expect(await house.outputs(run)).toEqual(['data/mine.txt: edited']);
      expect(house.listing().map((line) => line.split(' ')[0])).toEqual(['a.txt', 'data/', 'data/asked.txt']);
      expect(await house.start({ userId: 'u2' })).toMatchObject({ userId: 'u2' });
    });

    it("a credential bound to a user starts and sees that user alone, and reaches that user's files", async () => {
      const theirs = await house.upload('x', { filename: 'x', userId: 'u2', purpose: 'knowledge' });
      const bound: Grant = { ...house.grant, user: 'u1' };
      const wanted = wantedRun({});
      const refused = house.runs.start(bound, AGENT, { ...wanted, seeds: [fromObject(theirs.id)] });
      await expect(refused).rejects.toMatchObject({ code: 'not_found' });
      await expect(house.runs.start(bound, AGENT, { ...wanted, userId: 'u2' })).rejects.toMatchObject({
        code: 'forbidden',
      });
      expect(await house.runs.start(bound, AGENT, wanted)).toMatchObject({ userId: 'u1' });
      const other = await house.start({ userId: 'u2' }, parseAgentId('a2'));
      await expect(house.runs.get(bound, parseAgentId('a2'), other.id)).rejects.toMatchObject({ code: 'not_found' });
    });

    it('runs.start needs the scope runs:write, and the right workspace', async () => {
      const wanted = wantedRun({});
      const reader: Grant = { ...house.grant, scopes: new Set(['runs:read']) };
      await expect(house.runs.start(reader, AGENT, wanted)).rejects.toMatchObject({ code: 'forbidden' });
      const bound: Grant = { ...house.grant, agent: parseAgentId('a2') };
      await expect(house.runs.start(bound, AGENT, wanted)).rejects.toMatchObject({ code: 'forbidden' });
    });
  });
});
