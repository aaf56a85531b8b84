import { existsSync } from 'node:fs';
import type { AgentId, TenantId } from '../../src/ids.ts';
import {
  A1,
  ACME,
  at,
  failure,
  grantOf,
  openVolume,
  pathsOf,
  put,
  STORE,
  singleCore,
  WORKSPACE,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

for (const kind of DATABASES) {
  describe(`agents on ${kind.name}`, () => {
    it('are made once, with what was wanted', async () => {
      await using one = await singleCore(kind, { limits: { workspace: { quotaBytes: 10, quotaFiles: 20 } } });
      const { agents } = one.core;
      const wanted = { agentId: A1, userId: 'u1', shared: true, lifecycle: 'ephemeral' as const, quotaBytes: 5 };
      expect(await agents.create(ACME, { ...wanted, expiresAfterSeconds: 60 })).toMatchObject({
        id: A1,
        userId: 'u1',
        shared: true,
        lifecycle: 'ephemeral',
        usage: { bytes: 0, files: 0, quotaBytes: 5, quotaFiles: 20 },
        liveRun: null,
        expiresAfterSeconds: 60,
      });
      expect(await failure(agents.create(ACME, wanted))).toMatchObject({ code: 'exists' });
      expect((await agents.create(ACME, {})).id).toMatch(/^agent_/);
    });

    it('come into being by the first write and not by a read', async () => {
      await using one = await singleCore(kind);
      const { agents, volumes } = one.core;
      const missing = { code: 'not_found' };
      expect(await failure(volumes.open(grantOf(), WORKSPACE, 'read'))).toMatchObject(missing);
      expect(await failure(agents.get(ACME, A1))).toMatchObject(missing);
      await put(await openVolume(one, WORKSPACE), 'f', 'x');
      expect(await pathsOf(await volumes.open(grantOf(), WORKSPACE, 'read'))).toEqual(['f']);
      expect(await agents.get(ACME, A1)).toMatchObject({ usage: { bytes: 1, files: 1 } });
    });

    it('go with their tree and what was said of it, and come back empty', async () => {
      await using one = await singleCore(kind);
      const { agents, attributes, tenants } = one.core;
      await put(await openVolume(one), 'stays', 'x');
      await put(await openVolume(one, WORKSPACE), 'd/f', 'y');
      await attributes.set(WORKSPACE, at('d/f'), { tags: ['t'] });
      const { hostPath } = await agents.mount(ACME, A1);
      expect(existsSync(hostPath)).toBe(true);
      await agents.remove(ACME, A1, { force: false });
      expect(existsSync(hostPath)).toBe(false);
      expect((await tenants.get(ACME)).usage).toMatchObject({ bytes: 1, files: 1, reservedBytes: 0 });
      expect(await failure(agents.remove(ACME, A1, { force: false }))).toMatchObject({ code: 'not_found' });
      expect(await pathsOf(await openVolume(one, WORKSPACE))).toEqual([]);
      expect((await attributes.get(WORKSPACE, at('d/f'))).tags).toEqual([]);
    });

    it('are reached by their own credential and by no other tenant', async () => {
      await using one = await singleCore(kind);
      const { volumes } = one.core;
      await put(await openVolume(one, WORKSPACE), 'f', 'x');
      const open = (grant = grantOf(), ref = WORKSPACE) => failure(volumes.open(grant, ref, 'write'));
      expect(await open(grantOf(ACME, { agent: A1 }))).toBe('it succeeded');
      expect(await open(grantOf(ACME, { agent: 'a2' as AgentId }))).toMatchObject({ code: 'forbidden' });
      expect(await open(grantOf('other' as TenantId))).toMatchObject({ code: 'not_found' });
      expect(await open(grantOf('other' as TenantId), STORE)).toMatchObject({ code: 'not_found' });
      const reader = grantOf(ACME, { scopes: new Set(['workspace:read']) });
      expect(await open(reader)).toMatchObject({
        code: 'forbidden',
        message: expect.stringContaining('workspace:write'),
      });
      const volume = await volumes.open(reader, WORKSPACE, 'read');
      expect('write' in volume).toBe(false);
    });

    it('expire after their time without a run', async () => {
      let now = new Date('2026-01-15T00:00:00Z');
      await using one = await singleCore(kind, { clock: () => now });
      const { agents } = one.core;
      await agents.create(ACME, { agentId: A1, expiresAfterSeconds: 3600 });
      await one.core.sweep();
      expect(await agents.get(ACME, A1)).toMatchObject({ id: A1 });
      now = new Date('2026-01-15T01:00:01Z');
      await one.core.sweep();
      expect(await failure(agents.get(ACME, A1))).toMatchObject({ code: 'not_found' });
    });
  });
}
