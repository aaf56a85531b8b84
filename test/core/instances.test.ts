import { randomUUID } from 'node:crypto';
import { listInstances, registerInstance, removeInstance } from '../../src/db/instances.ts';
import { acquireLock } from '../../src/db/locks.ts';
import type { InstanceRow } from '../../src/db/schema.ts';
import { reserve } from '../../src/db/usage.ts';
import { hostIdentity } from '../../src/host.ts';
import { openDataRoot } from '../../src/tree/root.ts';
import {
  ACME,
  at,
  bodyOf,
  type CoreSite,
  coreSite,
  failure,
  type OneCore,
  openVolume,
  pathsOf,
  put,
  singleCore,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { until } from '../support/wait.ts';

const STORE_ACCOUNT = { tenant: ACME, part: 'store' };

/** Registers a process that is not there, as it was seen alive last: here before a reboot, or elsewhere a minute ago. */
async function registerDead(one: OneCore, where: 'here' | 'elsewhere'): Promise<string> {
  const now = Date.now();
  const row: InstanceRow =
    where === 'here'
      ? {
          id: randomUUID(),
          host: hostIdentity(),
          pid: 1,
          process_start: 'long ago',
          started_at: now,
          lease_until: now + 60_000,
        }
      : { id: randomUUID(), host: 'another', pid: 1, process_start: '1', started_at: now, lease_until: now - 1 };
  await registerInstance(one.db, row);
  return row.id;
}

/** What a process leaves that is killed in the midst of a write: a reservation, a staged file, a file not yet settled. */
async function dieWriting(site: CoreSite, one: OneCore, instance: string): Promise<void> {
  await reserve(one.db, { instance, ...STORE_ACCOUNT, bytes: 500, files: 1 });
  const root = await openDataRoot({ path: site.path, instance, durability: 'none' });
  const home = await root.open(['tenants', ACME, 'store']);
  await home.staging.receive(bodyOf('never placed'), { maxBytes: 100 });
  const placed = await home.staging.receive(bodyOf('placed, not settled'), { maxBytes: 100 });
  await home.tree.place(at('orphan'), placed, 'create');
  await acquireLock(one.db, { name: 'held', instance, ttlMs: 3_600_000, now: Date.now() });
}

/** The clock that nobody sets runs ahead, as for a process that was stopped, until the scope ends. */
function heldUp(ms: number): Disposable {
  const { now } = performance;
  performance.now = () => now.call(performance) + ms;
  return {
    [Symbol.dispose]() {
      performance.now = now;
    },
  };
}

async function usage(one: OneCore) {
  return (await one.core.tenants.get(ACME)).usage;
}

for (const kind of DATABASES) {
  describe(`instances on ${kind.name}`, () => {
    for (const where of ['here', 'elsewhere'] as const) {
      it(`that died ${where} are buried: reservations, staging, locks, and the count that is owed`, async () => {
        await using site = await coreSite(kind);
        const one = await site.open();
        await one.core.tenants.admit(ACME);
        const dead = await registerDead(one, where);
        await dieWriting(site, one, dead);
        expect(await usage(one)).toMatchObject({ bytes: 0, reservedBytes: 500 });

        await one.core.sweep();
        await until(async () => (await usage(one)).bytes === 19, 'the count after the burial');
        expect(await usage(one)).toMatchObject({ files: 1, reservedBytes: 0 });
        const home = await one.root.open(['tenants', ACME, 'store']);
        expect(await home.staging.sweep({ has: () => false })).toBe(0);
        expect((await listInstances(one.db)).map(({ id }) => id)).toEqual([one.instance]);
        const again = { name: 'held', instance: one.instance, ttlMs: 1, now: Date.now() };
        expect(await acquireLock(one.db, again)).not.toBeNull();
      });
    }

    it('are buried before a new process serves, and the next write counts first', async () => {
      await using site = await coreSite(kind);
      const first = await site.open();
      await first.core.tenants.admit(ACME);
      await first.core.tenants.put(ACME, { quotaBytes: 100 });
      await dieWriting(site, first, await registerDead(first, 'here'));
      await first.close();
      const next = await site.open();
      const volume = await openVolume(next);
      expect(await failure(put(volume, 'f', 82))).toMatchObject({ code: 'quota_exceeded', detail: { used: 19 } });
      await put(volume, 'f', 81);
    });

    it('that live are left alone, with what they stage and reserve', async () => {
      await using site = await coreSite(kind);
      const [one, other] = [await site.open(), await site.open()];
      await one.core.tenants.admit(ACME);
      const intake = (await openVolume(other)).intake();
      const staged = await intake.receive(bodyOf('on its way'), { maxBytes: 100 });
      await one.core.sweep();
      await intake.commit([{ path: at('f'), staged, mode: 'create' }]);
      expect(await usage(one)).toMatchObject({ bytes: 10, files: 1, reservedBytes: 0 });
    });

    it('say goodbye: no row and no mark stays', async () => {
      await using site = await coreSite(kind);
      const [one, other] = [await site.open(), await site.open()];
      await one.core.tenants.admit(ACME);
      await put(await openVolume(other), 'f', 'x');
      const marks = one.db.selectFrom('holds').select('instance').where('instance', '=', other.instance);
      expect(await marks.execute()).toHaveLength(1);
      await other.close();
      expect(await marks.execute()).toEqual([]);
      expect((await listInstances(one.db)).map(({ id }) => id)).toEqual([one.instance]);
    });

    it('that lost touch with their database write nothing, whatever the verb', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'f', 'x');
      const verbs = {
        write: () => put(volume, 'g', 'y'),
        mkdir: () => volume.mkdir(at('d')),
        copy: () => volume.copy(at('f'), at('g'), { overwrite: false }),
        move: () => volume.move(at('f'), at('g'), { overwrite: false }),
        chmod: () => volume.chmod(at('f'), 0o600),
        chown: () => volume.chown(at('f'), { uid: process.getuid?.() ?? 0 }),
        utimes: () => volume.utimes(at('f'), new Date(0)),
        remove: () => volume.remove(at('f'), { recursive: false }),
      };
      const before = await volume.stat(at('f'));
      for (const verb of Object.values(verbs)) {
        using _ = heldUp(7000);
        expect(await failure(verb())).toMatchObject({ code: 'unavailable' });
      }
      expect(await volume.stat(at('f'))).toEqual(before);
      for (const verb of Object.values(verbs).filter((verb) => verb !== verbs.move && verb !== verbs.copy))
        await verb();
      expect(await pathsOf(volume)).toEqual(['d/', 'g']);
    });

    it('that were taken for dead register again', async () => {
      await using site = await coreSite(kind);
      const one = await site.open();
      await removeInstance(one.db, one.instance);
      await until(async () => (await listInstances(one.db)).length === 1, 'the next renewal');
    });
  });
}
