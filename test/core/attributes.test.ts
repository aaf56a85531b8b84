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
