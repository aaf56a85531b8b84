import * as agents from '../../../src/db/agents.ts';
import * as instances from '../../../src/db/instances.ts';
import * as keys from '../../../src/db/keys.ts';
import type { Database } from '../../../src/db/schema.ts';
import * as tenants from '../../../src/db/tenants.ts';
import { agent } from './rows.ts';

export function describeAdministered(db: () => Database): void {
  const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);

  describe('tenants', () => {
    it('are made once, also by many at once', async () => {
      const made = await Promise.all(Array.from({ length: 10 }, () => tenants.ensureTenant(db(), 'once', 5)));
      expect(made.filter(Boolean)).toHaveLength(1);
      expect(await tenants.findTenant(db(), 'once')).toEqual({ id: 'once', status: 'active', created_at: 5 });
      expect(await tenants.findTenant(db(), 'never')).toBeNull();
    });

    it('leave a tombstone that ensuring does not lift and putting does', async () => {
      expect(await tenants.putTenant(db(), 'buried', 5)).toBe(true);
      expect(await tenants.putTenant(db(), 'buried', 6)).toBe(false);
      expect(await tenants.markDeleted(db(), 'buried')).toBe(true);
      expect(await tenants.markDeleted(db(), 'buried')).toBe(false);
      expect(await tenants.ensureTenant(db(), 'buried', 7)).toBe(false);
      expect(await tenants.findTenant(db(), 'buried')).toMatchObject({ status: 'deleted' });
      expect(await tenants.putTenant(db(), 'buried', 8)).toBe(true);
      expect(await tenants.findTenant(db(), 'buried')).toMatchObject({ status: 'active', created_at: 8 });
    });

    it('are listed in pages by id, without the deleted', async () => {
      for (const id of ['~page-a', '~page-b', '~page-c', '~page-d']) await tenants.ensureTenant(db(), id, 1);
      await tenants.markDeleted(db(), '~page-b');
      const first = await tenants.listTenants(db(), { after: '~page', limit: 2 });
      expect(ids(first)).toEqual(['~page-a', '~page-c']);
      expect(ids(await tenants.listTenants(db(), { after: '~page-c', limit: 2 }))).toEqual(['~page-d']);
    });
  });

  describe('keys', () => {
    it('are found by hash and listed until they are revoked', async () => {
      const key = { id: 'k1', tenant: 'keyed', hash: 'h1', scope: null, agent: null, created_at: 1, revoked_at: null };
      await keys.insertKey(db(), key);
      await keys.insertKey(db(), { ...key, id: 'k2', hash: 'h2', created_at: 2, scope: 'store:read' });
      expect(await keys.findKeyByHash(db(), 'h1')).toEqual(key);
      expect(ids(await keys.listKeys(db(), 'keyed'))).toEqual(['k1', 'k2']);
      expect(await keys.revokeKey(db(), 'another', 'k1', 3)).toBe(false);
      expect(await keys.revokeKey(db(), 'keyed', 'k1', 3)).toBe(true);
      expect(await keys.revokeKey(db(), 'keyed', 'k1', 4)).toBe(false);
      expect(await keys.findKeyByHash(db(), 'h1')).toBeNull();
      expect(ids(await keys.listKeys(db(), 'keyed'))).toEqual(['k2']);
    });
  });

  describe('instances', () => {
    it('live while they renew and are removed once', async () => {
      const one = { id: 'i1', host: 'h', pid: 1, process_start: '1', started_at: 1, lease_until: 10 };
      await instances.registerInstance(db(), one);
      expect(await instances.renewLease(db(), 'i1', 20)).toBe(true);
      expect(await instances.listInstances(db())).toEqual([{ ...one, lease_until: 20 }]);
      const removed = await Promise.all([instances.removeInstance(db(), 'i1'), instances.removeInstance(db(), 'i1')]);
      expect(removed.filter(Boolean)).toHaveLength(1);
      expect(await instances.renewLease(db(), 'i1', 30)).toBe(false);
    });
  });

  describe('agents', () => {
    it('exist once per tenant', async () => {
      await agents.insertAgent(db(), agent('t1', 'a1'));
      await agents.insertAgent(db(), agent('t2', 'a1'));
      await expect(agents.insertAgent(db(), agent('t1', 'a1'))).rejects.toMatchObject({ code: 'exists' });
      expect(await agents.ensureAgent(db(), agent('t1', 'a1'))).toBe(false);
      expect(await agents.ensureAgent(db(), agent('t1', 'a2'))).toBe(true);
      expect(ids(await agents.listAgents(db(), 't1', { after: null, limit: 9 }))).toEqual(['a1', 'a2']);
      expect(ids(await agents.listAgents(db(), 't1', { after: 'a1', limit: 9 }))).toEqual(['a2']);
      expect(await agents.deleteAgent(db(), 't1', 'a1')).toBe(true);
      expect(await agents.deleteAgent(db(), 't1', 'a1')).toBe(false);
      expect(await agents.findAgent(db(), 't1', 'a1')).toBeNull();
      expect(await agents.findAgent(db(), 't2', 'a1')).toEqual(agent('t2', 'a1'));
    });

    it('belong to the first user, unless they are shared', async () => {
      await agents.insertAgent(db(), agent('claims', 'mine'));
      await agents.insertAgent(db(), agent('claims', 'ours', { shared: 1 }));
      const users = ['u1', 'u2', 'u3', 'u4'];
      const claims = await Promise.all(users.map((user) => agents.claimUser(db(), 'claims', 'mine', user)));
      const owner = users[claims.indexOf(true)] ?? '';
      expect(claims.filter(Boolean)).toHaveLength(1);
      expect(await agents.claimUser(db(), 'claims', 'mine', owner)).toBe(true);
      expect(await agents.findAgent(db(), 'claims', 'mine')).toMatchObject({ user_id: owner });
      for (const user of users) expect(await agents.claimUser(db(), 'claims', 'ours', user)).toBe(true);
      expect(await agents.findAgent(db(), 'claims', 'ours')).toMatchObject({ user_id: null });
      expect(await agents.claimUser(db(), 'claims', 'nobody', 'u1')).toBe(false);
    });

    it('expire after their last activity, but never with a live run', async () => {
      const idle = { expires_after: 10, active_at: 5_000 };
      for (const id of ['idle', 'active', 'running']) await agents.insertAgent(db(), agent('expiry', id, idle));
      await agents.insertAgent(db(), agent('expiry', 'stays'));
      await agents.touchAgent(db(), 'expiry', 'active', 9_000);
      await agents.touchAgent(db(), 'expiry', 'active', 8_000);
      await db().insertInto('live_runs').values({ tenant: 'expiry', agent: 'running', run_id: 'r' }).execute();
      const expired = async (now: number) =>
        ids((await agents.listExpired(db(), now, 100)).filter(({ tenant }) => tenant === 'expiry'));
      expect(await expired(14_999)).toEqual([]);
      expect(await expired(15_000)).toEqual(['idle']);
      expect(await expired(19_000)).toEqual(['idle', 'active']);
    });
  });
}
