import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TenantId } from '../../src/ids.ts';
import {
  A1,
  ACME,
  bodyOf,
  coreSite,
  failure,
  grantOf,
  openVolume,
  pathsOf,
  put,
  singleCore,
  WORKSPACE,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const NEW = 'newcomer' as TenantId;
const META = { filename: 'f', purpose: null, userId: null, agentId: null, sessionId: null };

for (const kind of DATABASES) {
  describe(`tenants on ${kind.name}`, () => {
    it('come into being by being used, with the limits of a new one', async () => {
      await using one = await singleCore(kind, { limits: { tenant: { quotaBytes: 100, quotaFiles: 7 } } });
      await Promise.all([one.core.tenants.admit(NEW), one.core.tenants.admit(NEW)]);
      expect(await one.core.tenants.get(NEW)).toMatchObject({ id: NEW, usage: { quotaBytes: 100, quotaFiles: 7 } });
    });

    it('are refused when unknown where that is not wanted', async () => {
      await using site = await coreSite(kind);
      const one = await site.open({ limits: { tenantAutocreate: false } });
      expect(await failure(one.core.tenants.admit(NEW))).toMatchObject({ code: 'forbidden' });
      expect(await one.core.tenants.put(NEW, {})).toMatchObject({ created: true });
      await one.core.tenants.admit(NEW);
      expect(await one.core.tenants.put(NEW, { quotaBytes: 5 })).toMatchObject({
        created: false,
        tenant: { usage: { quotaBytes: 5, quotaFiles: 0 } },
      });
    });

    it('go with everything they hold, leave a tombstone, and come back empty', async () => {
      await using site = await coreSite(kind);
      const one = await site.open();
      const { tenants, keys, objects, agents } = one.core;
      await tenants.admit(ACME);
      await put(await openVolume(one), 'f', 'x');
      await put(await openVolume(one, WORKSPACE), 'g', 'y');
      const { secret } = await keys.create(ACME, {});
      const received = await objects.receive(ACME, bodyOf('z'), { maxBytes: 10 });
      const { id } = await received.keep(grantOf(), META);

      await tenants.remove(ACME);
      expect(existsSync(join(site.path, 'tenants', ACME))).toBe(false);
      expect(await failure(tenants.admit(ACME))).toMatchObject({ code: 'forbidden' });
      expect(await failure(tenants.get(ACME))).toMatchObject({ code: 'not_found' });
      expect(await failure(tenants.remove(ACME))).toMatchObject({ code: 'not_found' });
      expect((await tenants.list({ limit: 10, cursor: null })).items).toEqual([]);

      expect(await tenants.put(ACME, {})).toMatchObject({ created: true, tenant: { usage: { bytes: 0, files: 0 } } });
      await tenants.admit(ACME);
      expect(await pathsOf(await openVolume(one))).toEqual([]);
      expect(await failure(agents.get(ACME, A1))).toMatchObject({ code: 'not_found' });
      expect(await failure(objects.get(grantOf(), id))).toMatchObject({ code: 'not_found' });
      const { keys: afterwards } = (await site.open()).core;
      expect(await afterwards.lookUp(secret)).toBeNull();
    });

    it('are listed in pages', async () => {
      await using one = await singleCore(kind);
      for (const id of ['b', 'c', 'd']) await one.core.tenants.admit(id as TenantId);
      const first = await one.core.tenants.list({ limit: 3, cursor: null });
      expect(first.items.map(({ id }) => id)).toEqual([ACME, 'b', 'c']);
      const last = await one.core.tenants.list({ limit: 3, cursor: first.next });
      expect(last).toMatchObject({ items: [{ id: 'd' }], next: null });
    });
  });
}
