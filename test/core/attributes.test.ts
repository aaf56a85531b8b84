import { A1, ACME, at, coreSite, openVolume, put, STORE, singleCore, WORKSPACE } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

for (const kind of DATABASES) {
  describe(`attributes on ${kind.name}`, () => {
    it('follow their path through move and copy, and die with it', async () => {
      await using one = await singleCore(kind);
      const { attributes } = one.core;
      const volume = await openVolume(one);
      const tagsAt = async (path: string) => (await attributes.get(STORE, at(path))).tags;
      await put(volume, 'd/f', 'x');
      await put(volume, 'd/g', 'y');
      await attributes.set(STORE, at('d/f'), { tags: ['mine'] });

      await volume.move(at('d'), at('e'), { overwrite: false });
      expect([await tagsAt('d/f'), await tagsAt('e/f')]).toEqual([[], ['mine']]);

      await volume.copy(at('e'), at('c'), { overwrite: false });
      await volume.copy(at('e/f'), at('e/g'), { overwrite: true });
      expect([await tagsAt('e/f'), await tagsAt('c/f'), await tagsAt('e/g')]).toEqual([['mine'], ['mine'], ['mine']]);

      await put(volume, 'e/f', 'written over');
      expect(await tagsAt('e/f')).toEqual(['mine']);

      await volume.remove(at('c'), { recursive: true });
      expect(await tagsAt('c/f')).toEqual([]);
      await volume.remove(at(''), { recursive: true });
      expect(await tagsAt('e/f')).toEqual([]);
    });

    it('lose nothing of two that set different fields at the same time', async () => {
      await using one = await singleCore(kind);
      const { attributes } = one.core;
      const rounds = Array.from({ length: 20 }, (_, n) => n);
      await Promise.all(
        rounds.flatMap((n) => [
          attributes.set(STORE, at(`f${n}`), { tags: ['mine'] }),
          attributes.set(STORE, at(`f${n}`), { metadata: { by: 'the other' } }),
        ]),
      );
      const said = await Promise.all(rounds.map((n) => attributes.get(STORE, at(`f${n}`))));
      expect(said).toEqual(rounds.map(() => ({ tags: ['mine'], metadata: { by: 'the other' } })));
      expect(await attributes.set(STORE, at('f0'), {})).toEqual(said[0]);
      expect(await attributes.set(STORE, at('new'), { tags: ['a'] })).toEqual({ tags: ['a'], metadata: {} });
    });

    it('are found by their tags, in the volume and below the directory that is asked for', async () => {
      await using one = await singleCore(kind);
      const { attributes } = one.core;
      const volume = await openVolume(one);
      const found = async (...tags: readonly string[]) => {
        const page = { within: at(''), after: null, limit: 10 };
        return [...(await attributes.tagged(STORE, tags, page)).paths].sort();
      };
      for (const path of ['d/f', 'd/g', 'h']) {
        await put(volume, path, 'x');
        await attributes.set(STORE, at(path), { tags: ['all', `of ${path}`] });
      }
      await attributes.set(WORKSPACE, at('elsewhere'), { tags: ['all'] });
      expect(await found('all')).toEqual(['d/f', 'd/g', 'h']);
      expect(await found('of h', 'all')).toEqual(['h']);
      await volume.move(at('d'), at('e'), { overwrite: false });
      await volume.copy(at('h'), at('i'), { overwrite: false });
      await volume.remove(at('e/g'), { recursive: false });
      expect(await found('all')).toEqual(['e/f', 'h', 'i']);
      const first = await attributes.tagged(STORE, ['all'], { within: at(''), after: null, limit: 2 });
      const rest = await attributes.tagged(STORE, ['all'], { within: at(''), after: first.next, limit: 2 });
      expect([...first.paths, ...rest.paths].sort()).toEqual(['e/f', 'h', 'i']);
      expect([first.next, rest.next]).toEqual([first.paths.at(-1), null]);
    });

    it('survive a restart, and go with the workspace and the tenant', async () => {
      await using site = await coreSite(kind);
      const before = await site.open();
      await before.core.tenants.admit(ACME);
      await put(await openVolume(before, WORKSPACE), 'f', 'x');
      for (const ref of [STORE, WORKSPACE]) {
        await before.core.attributes.set(ref, at('f'), { tags: ['kept'], metadata: { k: [1] } });
      }
      await before.close();
      const { core } = await site.open();
      const page = { within: at(''), after: null, limit: 10 };
      expect(await core.attributes.get(WORKSPACE, at('f'))).toEqual({ tags: ['kept'], metadata: { k: [1] } });
      expect(await core.attributes.tagged(WORKSPACE, ['kept'], page)).toEqual({ paths: ['f'], next: null });
      await core.agents.remove(ACME, A1, { force: false });
      expect((await core.attributes.tagged(WORKSPACE, ['kept'], page)).paths).toEqual([]);
      expect((await core.attributes.tagged(STORE, ['kept'], page)).paths).toEqual(['f']);
      await core.tenants.remove(ACME);
      expect((await core.attributes.tagged(STORE, ['kept'], page)).paths).toEqual([]);
    });

    it('of a file that is moved over are replaced', async () => {
      await using one = await singleCore(kind);
      const { attributes } = one.core;
      const volume = await openVolume(one);
      await put(volume, 'from', 'x');
      await put(volume, 'to', 'y');
      await attributes.set(STORE, at('to'), { tags: ['old'], metadata: { of: 'to' } });
      await attributes.set(STORE, at('from'), { metadata: { of: 'from' } });
      await volume.move(at('from'), at('to'), { overwrite: true });
      expect(await attributes.get(STORE, at('to'))).toEqual({ tags: [], metadata: { of: 'from' } });
    });
  });
}
