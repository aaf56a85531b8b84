import type { FileObject, ObjectMeta, RunWanted } from '../../src/core/core.ts';
import { findLiveRun } from '../../src/db/runs.ts';
import {
  A1,
  ACME,
  bodyOf,
  type CoreWishes,
  coreSite,
  failure,
  grantOf,
  type OneCore,
  openVolume,
  pathsOf,
  put,
  singleCore,
  textAt,
  WORKSPACE,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { until } from '../support/wait.ts';

const NOON = Date.parse('2026-01-15T12:00:00Z');
const MISSING = { code: 'not_found' };
const RUN: RunWanted = {
  ...{ seeds: [], inputs: 'all' as const, userId: 'u1', sessionId: null, onConflict: 'replace' as const },
  ...{ capture: { enabled: false, include: [], exclude: null }, timeoutSeconds: 100_000 },
};

/** A clock that a test moves, and the number of objects that were swept. */
function watch(): CoreWishes & { at(seconds: number): void; readonly swept: () => number } {
  let [now, objects] = [NOON, 0];
  return {
    clock: () => new Date(now),
    at: (seconds) => {
      now = NOON + seconds * 1000;
    },
    metrics: {
      swept: (kind, count) => {
        if (kind === 'object') objects += count;
      },
    },
    swept: () => objects,
  };
}

async function keep(one: OneCore, content: string, meta: Partial<ObjectMeta>): Promise<FileObject> {
  const received = await one.core.objects.receive(ACME, bodyOf(content), { maxBytes: 1e6 });
  const whose = { userId: 'u1', agentId: null, sessionId: null, purpose: 'agent_input' as const };
  return received.keep(grantOf(), { ...whose, filename: 'in.txt', ...meta });
}

async function contents(one: OneCore): Promise<number> {
  const { tree } = await one.root.open(['tenants', ACME, 'objects']);
  return (await pathsOf(tree)).filter((path) => !path.endsWith('/')).length;
}

for (const kind of DATABASES) {
  describe(`the time of objects on ${kind.name}`, () => {
    it('ends for readers at once, and for the disk and the quota with the next round', async () => {
      const time = watch();
      await using one = await singleCore(kind, time);
      const { objects, tenants } = one.core;
      const grant = grantOf();
      const brief = await keep(one, 'brief', { expiresAfterSeconds: 60 });
      const lasting = await keep(one, 'lasting', {});
      expect([brief.expiresAt, lasting.expiresAt]).toEqual([new Date(NOON + 60_000), null]);
      expect((await objects.link(grant, brief.id, 3600)).expiresAt).toEqual(new Date(NOON + 60_000));
      time.at(59.999);
      await one.core.sweep();
      expect(await objects.get(grant, brief.id)).toEqual(brief);
      time.at(60);
      for (const asked of [
        objects.get(grant, brief.id),
        objects.open(grant, brief.id),
        objects.link(grant, brief.id, 1),
      ])
        expect(await failure(asked)).toMatchObject(MISSING);
      expect((await objects.list(grant, {}, { limit: 9, cursor: null })).items).toEqual([lasting]);
      expect([await contents(one), time.swept()]).toEqual([2, 0]);
      await one.core.sweep();
      await one.core.sweep();
      expect([await contents(one), time.swept()]).toEqual([1, 1]);
      expect((await tenants.get(ACME)).usage).toMatchObject({ bytes: 7, files: 1, reservedBytes: 0 });
      await objects.remove(grant, brief.id);
    });

    it('ends for each of those with one content alone', async () => {
      const time = watch();
      await using one = await singleCore(kind, time);
      await keep(one, 'shared', { expiresAfterSeconds: 1 });
      const other = await keep(one, 'shared', { expiresAfterSeconds: 100 });
      time.at(2);
      await one.core.sweep();
      const { file } = await one.core.objects.open(grantOf(), other.id);
      expect((await file.bytes(100)).toString()).toBe('shared');
      await file.close();
    });

    it('ends once, however many processes sweep', async () => {
      const times = [watch(), watch()];
      await using site = await coreSite(kind);
      const cores: OneCore[] = [];
      for (const time of times) cores.push(await site.open({ ...time, severalProcesses: true }));
      const [one] = cores;
      if (one === undefined) throw new Error('there are two');
      await one.core.tenants.admit(ACME);
      for (let n = 0; n < 20; n += 1) await keep(one, `${n % 5}`, { expiresAfterSeconds: 5 });
      for (const time of times) time.at(10);
      for (let round = 0; round < 3; round += 1) await Promise.all(cores.map(({ core }) => core.sweep()));
      expect(times.reduce((sum, time) => sum + time.swept(), 0)).toBe(20);
      expect(await contents(one)).toBe(0);
      expect((await one.core.tenants.get(ACME)).usage).toMatchObject({ bytes: 0, files: 0, reservedBytes: 0 });
    });

    it('takes nothing from a run that is being prepared, nor from one that has begun', async () => {
      const [time, later] = [watch(), watch()];
      await using site = await coreSite(kind);
      const one = await site.open({ ...time, severalProcesses: true });
      const ahead = await site.open({ ...later, severalProcesses: true });
      await one.core.tenants.admit(ACME);
      const names = Array.from({ length: 40 }, (_, n) => `in-${n}.txt`);
      for (const filename of names) await keep(one, filename, { filename, expiresAfterSeconds: 2 });
      let prepared = false;
      const started = one.core.runs.start(grantOf(), A1, RUN).finally(() => {
        prepared = true;
      });
      await until(async () => (await findLiveRun(one.db, ACME, A1)) !== null, 'the run has its place');
      // Not by as much as would make the other one's locks run out.
      later.at(2);
      while (!prepared) await ahead.core.sweep();
      expect(await started).toMatchObject({ status: 'running', seededFiles: 40 });
      await until(async () => {
        await ahead.core.sweep();
        return later.swept() === 40;
      }, 'the files are removed');
      const workspace = await openVolume(one, WORKSPACE);
      for (const name of names) expect(await textAt(workspace, `data/${name}`)).toBe(name);
    });

    it('of a workspace begins with the end of its run, and no live run loses it', async () => {
      const time = watch();
      await using one = await singleCore(kind, time);
      const { agents, runs } = one.core;
      await agents.create(ACME, { agentId: A1, expiresAfterSeconds: 60 });
      const { id } = await runs.start(grantOf(), A1, RUN);
      await put(await openVolume(one, WORKSPACE), 'made.txt', 'x');
      time.at(3600);
      await one.core.sweep();
      expect(await textAt(await openVolume(one, WORKSPACE), 'made.txt')).toBe('x');
      await runs.finish(grantOf(), A1, id, 'completed');
      time.at(3659);
      await one.core.sweep();
      expect(await agents.get(ACME, A1)).toMatchObject({ liveRun: null });
      time.at(3661);
      await one.core.sweep();
      expect(await failure(agents.get(ACME, A1))).toMatchObject(MISSING);
    });
  });
}
