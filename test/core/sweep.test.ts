import { randomUUID } from 'node:crypto';
import { openDataRoot } from '../../src/tree/root.ts';
import {
  A1,
  ACME,
  at,
  bodyOf,
  coreSite,
  grantOf,
  openVolume,
  pathsOf,
  put,
  singleCore,
  WORKSPACE,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

for (const kind of DATABASES) {
  describe(`sweeping on ${kind.name}`, () => {
    it('clears what nobody owns from every staging area and nothing else', async () => {
      await using site = await coreSite(kind);
      const one = await site.open();
      await one.core.tenants.admit(ACME);
      const store = await openVolume(one);
      await put(store, 'f', 'x');
      await put(await openVolume(one, WORKSPACE), 'g', 'y');
      const gone = await openDataRoot({ path: site.path, instance: randomUUID(), durability: 'none' });
      const homes = [['store'], ['agents', A1]].map((below) => ['tenants', ACME, ...below]);
      for (const segments of homes) {
        const home = await gone.open(segments);
        await home.staging.receive(bodyOf('left behind'), { maxBytes: 100 });
      }
      const intake = store.intake();
      const staged = await intake.receive(bodyOf('on its way'), { maxBytes: 100 });
      await one.core.sweep();
      await intake.commit([{ path: at('h'), staged, mode: 'create' }]);
      for (const segments of homes) {
        const home = await gone.open(segments);
        expect(await home.staging.sweep({ has: () => false })).toBe(0);
      }
      expect(await pathsOf(store)).toEqual(['f', 'h']);
    });

    it('removes bytes whose last object went while a crash kept them', async () => {
      await using one = await singleCore(kind);
      const meta = { filename: null, purpose: null, userId: null, agentId: null, sessionId: null };
      const received = await one.core.objects.receive(ACME, bodyOf('kept'), { maxBytes: 10 });
      const { sha256 } = await received.keep(grantOf(), meta);
      await one.db
        .insertInto('contents')
        .values({ tenant: ACME, sha256: 'f'.repeat(64), size: 1, refs: 0 })
        .execute();
      const home = await one.root.open(['tenants', ACME, 'objects']);
      const orphan = await home.staging.receive(bodyOf('orphan'), { maxBytes: 10 });
      await home.tree.mkdir(at('ff'));
      await home.tree.place(at(`ff/${'f'.repeat(64)}`), orphan, 'create');
      await one.core.sweep();
      const files = (await pathsOf(home.tree)).filter((path) => !path.endsWith('/'));
      expect(files).toEqual([`${sha256.slice(0, 2)}/${sha256}`]);
    });
  });
}
