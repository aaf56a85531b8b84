import { A1, ACME, coreSite, failure } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { until } from '../support/wait.ts';

for (const kind of DATABASES) {
  describe(`keys on ${kind.name}`, () => {
    it('are shown once and become the grant they were made for', async () => {
      await using site = await coreSite(kind);
      const { keys } = (await site.open()).core;
      const made = await keys.create(ACME, { scope: 'store:read  workspace:read' });
      const bound = await keys.create(ACME, { agent: A1 });
      expect(await keys.lookUp(made.secret)).toMatchObject({ tenant: ACME, subject: `key:${made.id}`, agent: null });
      expect([...((await keys.lookUp(made.secret))?.scopes ?? [])]).toEqual(['store:read', 'workspace:read']);
      expect((await keys.lookUp(bound.secret))?.scopes.has('store:read')).toBe(false);
      expect(await keys.lookUp(`${made.secret}0`)).toBeNull();
      expect(JSON.stringify(await keys.list(ACME))).not.toContain(made.secret);
      expect(await keys.list(ACME)).toHaveLength(2);
    });

    it('are refused for a scope or an agent that is none', async () => {
      await using site = await coreSite(kind);
      const { keys } = (await site.open()).core;
      expect(await failure(keys.create(ACME, { scope: 'store:read everything' }))).toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining('"everything" is no scope'),
      });
      expect(await failure(keys.create(ACME, { agent: '../x' }))).toMatchObject({ code: 'invalid_request' });
      expect(await failure(keys.create(ACME, { scope: ' ' }))).toMatchObject({ code: 'invalid_request' });
      expect(await failure(keys.create(ACME, { scope: 'workspace:read admin', agent: A1 }))).toMatchObject({
        code: 'invalid_request',
        message: 'a credential bound to an agent never has admin',
      });
      expect(await keys.list(ACME)).toEqual([]);
    });

    it('end at once where they are revoked, and in other processes within 5 seconds', async () => {
      await using site = await coreSite(kind);
      const [here, there] = [(await site.open()).core, (await site.open()).core];
      const { id, secret } = await here.keys.create(ACME, {});
      expect(await there.keys.lookUp(secret)).not.toBeNull();
      await here.keys.revoke(ACME, id);
      expect(await here.keys.lookUp(secret)).toBeNull();
      await until(async () => (await there.keys.lookUp(secret)) === null, 'the revocation', 10_000);
      expect(await failure(here.keys.revoke(ACME, id))).toMatchObject({ code: 'not_found' });
    });
  });
}
