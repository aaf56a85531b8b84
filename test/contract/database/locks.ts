import * as sets from '../../../src/db/lock-sets.ts';
import * as locks from '../../../src/db/locks.ts';
import type { Database } from '../../../src/db/schema.ts';

export function describeLocks(db: () => Database): void {
  const wanted = (name: string, now: number, instance = 'one') => ({ name, instance, ttlMs: 100, now });
  const acquire = (name: string, now: number, instance?: string) =>
    locks.acquireLock(db(), wanted(name, now, instance));
  const must = (token: number | null) => {
    if (token === null) throw new Error('the lock was not given');
    return token;
  };

  const setOf = ({ name, token }: locks.LockHeld) => new Map([[name, token]]);
  const check = (held: locks.LockHeld) => sets.checkLocks(db(), setOf(held));
  const renew = (held: locks.LockHeld, until: number, instance = 'one') =>
    sets.renewLocks(db(), instance, setOf(held), until);

  describe('locks', () => {
    it('go to one of many that want them at once', async () => {
      const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => acquire('wanted', 1000, `${n}`)));
      expect(tokens.filter((token) => token !== null)).toHaveLength(1);
    });

    it('are taken over after they ran out, with a higher token, and the former holder learns it', async () => {
      const name = 'taken';
      const first = { name, token: must(await acquire(name, 1000)) };
      expect(await acquire(name, 1099, 'two')).toBeNull();
      const second = { name, token: must(await acquire(name, 1100, 'two')) };
      expect(second.token).toBeGreaterThan(first.token);
      expect(await check(first)).toBe(false);
      await renew(first, 9999);
      await locks.releaseLock(db(), first);
      await sets.releaseLocks(db(), 'one', setOf(first));
      expect(await acquire(name, 1199, 'three')).toBeNull();
      expect(await check(second)).toBe(true);
    });

    it('last as long as they are renewed, and are free when released', async () => {
      const name = 'renewed';
      const held = { name, token: must(await acquire(name, 1000)) };
      await renew(held, 2000);
      expect(await acquire(name, 1500, 'two')).toBeNull();
      await locks.releaseLock(db(), held);
      expect(await check(held)).toBe(false);
      await renew(held, 9999);
      expect(must(await acquire(name, 1500, 'two'))).toBeGreaterThan(held.token);
    });

    it('are taken several at once as far as they are free, checked together and freed together', async () => {
      const long = 'x'.repeat(5000);
      const names = ['set/a', 'set/b', long];
      const take = (instance: string, now: number) => sets.acquireLocks(db(), { names, instance, ttlMs: 100, now });
      expect(await acquire('set/b', 950, 'other')).not.toBeNull();
      const held = await take('one', 1000);
      expect([...held.keys()].sort()).toEqual(['set/a', long]);
      expect((await take('two', 1000)).size).toBe(0);
      expect(await sets.checkLocks(db(), held)).toBe(true);
      expect([...(await take('two', 1060)).keys()]).toEqual(['set/b']);
      await sets.releaseLocks(db(), 'one', held);
      expect(await sets.checkLocks(db(), held)).toBe(false);
      expect([...(await take('two', 1060)).keys()].sort()).toEqual(['set/a', long]);
      expect(await sets.checkLocks(db(), new Map())).toBe(true);
    });

    it('of a dead process are freed together', async () => {
      await acquire('dead/1', 1000, 'dead');
      await acquire('dead/2', 1000, 'dead');
      await locks.releaseLocksOf(db(), 'dead');
      expect(await acquire('dead/1', 1000, 'two')).not.toBeNull();
      expect(await acquire('dead/2', 1000, 'two')).not.toBeNull();
    });

    it('that are free are swept, those that are held stay, and tokens still rise', async () => {
      const name = 'swept';
      const old = must(await acquire(name, 1000));
      await locks.releaseLock(db(), { name, token: old });
      const held = { name: 'stays', token: must(await acquire('stays', 5000)) };
      expect(await locks.sweepLocks(db(), 5050, 1000)).toBeGreaterThan(0);
      expect(await check(held)).toBe(true);
      expect(must(await acquire(name, 6000))).toBeGreaterThan(old);
    });

    it('may have names longer than an index holds', async () => {
      const name = `a/${'\u{1f600}'.repeat(2000)}`;
      expect(await acquire(name, 1000)).not.toBeNull();
      expect(await acquire(name, 1000, 'two')).toBeNull();
    });
  });
}
