import { Readable } from 'node:stream';
import { openImports } from '../../src/core/imports.ts';
import type { TenantId } from '../../src/ids.ts';
import type { Web } from '../../src/web/web.ts';
import { at, failure, grantOf, openVolume, STORE, singleCore, textAt } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const wanted = {
  url: 'http://files.example/',
  path: at('in/x'),
  mode: 'create',
  maxBytes: 100,
  expected: null,
} as const;
const never = new AbortController().signal;

/** A web of which every file is `there`, once the test lets it arrive. */
function slowWeb(): { readonly web: Pick<Web, 'get'>; arrive(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const get: Web['get'] = async (_url, _signal, use) => {
    await promise;
    return use({ body: Readable.from([Buffer.from('there')]), bytes: 5 });
  };
  return { web: { get }, arrive: resolve };
}

for (const kind of DATABASES) {
  describe(`imports on ${kind.name}`, () => {
    it('are thirty-two at once for a process, eight of them of one tenant, and more when these have ended', async () => {
      await using one = await singleCore(kind);
      const { web, arrive } = slowWeb();
      const imports = openImports({ volumes: one.core.volumes, web });
      const begin = (tenant: TenantId, n: number) =>
        imports.fetch(grantOf(tenant), { kind: 'store', tenant }, { ...wanted, path: at(`${n}`) }, never);
      const tenants = ['t1', 't2', 't3', 't4', 't5'].map((name) => name as TenantId);
      for (const tenant of tenants) await one.core.tenants.admit(tenant);
      const [, , , , fifth] = tenants;
      if (fifth === undefined) throw new Error('there are five');

      const under = tenants.slice(0, 4).flatMap((tenant) => Array.from({ length: 8 }, (_, n) => begin(tenant, n)));
      expect(await failure(begin('t1' as TenantId, 9))).toMatchObject({ code: 'rate_limited' });
      expect(await failure(begin(fifth, 1))).toMatchObject({ code: 'unavailable', detail: { retryAfterSeconds: 10 } });
      arrive();
      expect(await Promise.all(under)).toHaveLength(32);
      expect(await begin(fifth, 1)).toMatchObject({ size: 5 });
    });

    it('go where the grant may write, and nowhere where they are switched off', async () => {
      await using one = await singleCore(kind);
      const { web, arrive } = slowWeb();
      arrive();
      const { volumes } = one.core;
      const reader = { ...grantOf(), scopes: new Set(['store:read'] as const) };
      expect(await failure(openImports({ volumes, web }).fetch(reader, STORE, wanted, never))).toMatchObject({
        code: 'forbidden',
      });
      expect(await failure(openImports({ volumes, web: null }).fetch(grantOf(), STORE, wanted, never))).toMatchObject({
        code: 'forbidden',
      });
      await openImports({ volumes, web }).fetch(grantOf(), STORE, wanted, never);
      expect(await textAt(await openVolume(one), 'in/x')).toBe('there');
    });
  });
}
