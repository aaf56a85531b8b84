import { at, openVolume, put, STORE, singleCore } from '../support/core.ts';
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
