import { at, bodyOf, failure, openVolume, pathsOf, put, STORE, singleCore, textAt } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

for (const kind of DATABASES) {
  describe(`a volume on ${kind.name}`, () => {
    it('writes a file with its parents and reads it back', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      const entry = await put(volume, 'a/b/c.txt', 'hello');
      expect(entry).toMatchObject({ path: 'a/b/c.txt', size: 5, mode: 0o644 });
      expect(await textAt(volume, 'a/b/c.txt')).toBe('hello');
      expect(await one.core.volumes.rescan(STORE.tenant, { dryRun: true })).toMatchObject({
        ledger: { bytes: 5, files: 3 },
        drift: { bytes: 0, files: 0 },
      });
    });

    it('keeps the mode of a file it replaces', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'run.sh', 'one');
      await volume.chmod(at('run.sh'), 0o755);
      expect(await put(volume, 'run.sh', 'two')).toMatchObject({ mode: 0o755 });
    });

    it('refuses what the mode of a write forbids', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'f', 'x');
      const options = { maxBytes: 10 };
      const write = (path: string, mode: 'create' | 'update' | 'upsert') =>
        failure(volume.write(at(path), bodyOf('y'), { ...options, mode }));
      expect(await write('f', 'create')).toMatchObject({ code: 'exists' });
      expect(await write('g', 'update')).toMatchObject({ code: 'not_found' });
      expect(await write('f/under', 'upsert')).toMatchObject({ code: 'not_directory' });
      await volume.mkdir(at('d'));
      expect(await write('d', 'upsert')).toMatchObject({ code: 'is_directory' });
      expect(await write('', 'upsert')).toMatchObject({ code: 'is_directory' });
    });

    it('refuses a body that is too large, declared or not, and leaves nothing', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      const write = (declaredBytes: number | null) =>
        failure(volume.write(at('new/f'), bodyOf(11), { mode: 'upsert', maxBytes: 10, declaredBytes }));
      expect(await write(11)).toMatchObject({ code: 'too_large' });
      expect(await write(null)).toMatchObject({ code: 'too_large' });
      expect(await pathsOf(volume)).toEqual([]);
      expect(await one.core.tenants.get(STORE.tenant)).toMatchObject({
        usage: { bytes: 0, files: 0, reservedBytes: 0 },
      });
    });

    it('makes a directory once and says so', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      expect(await volume.mkdir(at('a/b'))).toMatchObject({ created: true, entry: { kind: 'directory' } });
      expect(await volume.mkdir(at('a/b'))).toMatchObject({ created: false });
      await put(volume, 'f', 'x');
      expect(await failure(volume.mkdir(at('f')))).toMatchObject({ code: 'exists' });
      expect(await failure(volume.mkdir(at('f/g')))).toMatchObject({ code: 'exists' });
      expect(await volume.mkdir(at(''))).toMatchObject({ created: false });
    });

    it('copies files, links and directories', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'd/one', '1');
      await put(volume, 'd/sub/two', '22');
      await volume.chmod(at('d/one'), 0o600);
      expect(await volume.copy(at('d/one'), at('x/one'), { overwrite: false })).toMatchObject({ mode: 0o600 });
      await volume.copy(at('d'), at('e'), { overwrite: false });
      expect(await pathsOf(volume)).toEqual(
        ['d/', 'd/one', 'd/sub/', 'd/sub/two', 'e/', 'e/one', 'e/sub/', 'e/sub/two', 'x/', 'x/one'].sort(),
      );
      expect(await one.core.volumes.rescan(STORE.tenant, { dryRun: true })).toMatchObject({
        ledger: { bytes: 7, files: 10 },
        drift: { bytes: 0, files: 0 },
      });
    });

    it('refuses to copy or move onto itself, into itself, or over a directory', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'd/one', '1');
      await put(volume, 'f', 'x');
      for (const verb of ['copy', 'move'] as const) {
        const act = (from: string, to: string, overwrite = true) =>
          failure(volume[verb](at(from), at(to), { overwrite }));
        expect(await act('d', 'd')).toMatchObject({ code: 'invalid_request' });
        expect(await act('d', 'd/in')).toMatchObject({ code: 'invalid_request' });
        expect(await act('', 'd/in')).toMatchObject({ code: 'invalid_request' });
        expect(await act('f', 'd')).toMatchObject({ code: 'exists' });
        expect(await act('d', 'f')).toMatchObject({ code: 'exists' });
        expect(await act('f', 'd/one', false)).toMatchObject({ code: 'exists' });
        expect(await act('gone', 'd/new')).toMatchObject({ code: 'not_found' });
      }
      expect(await pathsOf(volume)).toEqual(['d/', 'd/one', 'f']);
    });

    it('moves over a file and gives back what that held', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'big', 1000);
      await put(volume, 'small', 10);
      await volume.move(at('small'), at('new/dir/small'), { overwrite: false });
      await volume.move(at('new/dir/small'), at('big'), { overwrite: true });
      expect(await one.core.volumes.rescan(STORE.tenant, { dryRun: true })).toMatchObject({
        ledger: { bytes: 10, files: 3 },
        drift: { bytes: 0, files: 0 },
      });
    });

    it('removes files at once, directories on demand, and everything at the root', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'd/one', '1');
      expect(await failure(volume.remove(at('d'), { recursive: false }))).toMatchObject({ code: 'is_directory' });
      expect(await volume.remove(at('d'), { recursive: true })).toEqual({ bytes: 1, files: 2 });
      expect(await failure(volume.remove(at('d'), { recursive: true }))).toMatchObject({ code: 'not_found' });
      await put(volume, 'e/two', '2');
      await volume.remove(at(''), { recursive: true });
      expect(await pathsOf(volume)).toEqual([]);
      expect(await one.core.tenants.get(STORE.tenant)).toMatchObject({ usage: { bytes: 0, files: 0 } });
    });
  });
}
