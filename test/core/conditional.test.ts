import type { Expected, Volume } from '../../src/core/core.ts';
import { FsError } from '../../src/errors.ts';
import { ACME, at, bodyOf, coreSite, failure, openVolume, pathsOf, put, singleCore, textAt } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const EDITORS = 2;

/** Adds one to the number in the file, again and again until nobody came between the reading and the writing. */
async function increment(volume: Volume, retries: { count: number }): Promise<void> {
  for (;;) {
    const { version } = await volume.stat(at('counter'));
    const next = `${Number(await textAt(volume, 'counter')) + 1}`;
    const expected = { versions: [version] };
    const write = volume.write(at('counter'), bodyOf(next), { mode: 'update', maxBytes: 100, expected });
    const outcome = await failure(write);
    if (outcome === 'it succeeded') return;
    if (!(outcome instanceof FsError) || outcome.code !== 'precondition_failed') throw outcome;
    retries.count += 1;
  }
}

async function edit(volumes: readonly Volume[], edits: number): Promise<number> {
  const retries = { count: 0 };
  let left = edits;
  const editors = Array.from({ length: EDITORS }, async (_, n) => {
    const volume = volumes[n % volumes.length];
    while (volume !== undefined && left-- > 0) await increment(volume, retries);
  });
  await Promise.all(editors);
  return retries.count;
}

for (const kind of DATABASES) {
  describe(`conditional writes on ${kind.name}`, () => {
    it('lose no update among editors of one process', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'counter', '0');
      expect(await edit([volume], 2 * 100)).toBeGreaterThan(0);
      expect(await textAt(volume, 'counter')).toBe('200');
    });

    it('lose no update among editors of two processes, who would without their leases', async () => {
      const countAfterEdits = async (edits: number, severalProcesses: boolean) => {
        await using site = await coreSite(kind);
        const cores = [await site.open({ severalProcesses }), await site.open({ severalProcesses })];
        await cores[0]?.core.tenants.admit(ACME);
        const volumes = await Promise.all(cores.map((one) => openVolume(one)));
        for (const volume of volumes.slice(0, 1)) await put(volume, 'counter', '0');
        await edit(volumes, edits);
        for (const volume of volumes.slice(0, 1)) return Number(await textAt(volume, 'counter'));
        return null;
      };
      expect(await countAfterEdits(2 * 80, true)).toBe(2 * 80);
      expect(await countAfterEdits(100, false)).toBeLessThan(100);
    });

    it('fail with precondition_failed and change nothing', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      const { version } = await put(volume, 'f', 'one');
      await put(volume, 'f', 'two');
      const write = (expected: { versions: string[] } | { absent: true }, path = 'f') =>
        failure(volume.write(at(path), bodyOf('three'), { mode: 'upsert', maxBytes: 10, expected }));
      const refused = { code: 'precondition_failed' };
      expect(await write({ versions: [version] })).toMatchObject(refused);
      expect(await write({ absent: true })).toMatchObject(refused);
      expect(await write({ versions: ['*'] }, 'gone')).toMatchObject(refused);
      expect(await textAt(volume, 'f')).toBe('two');
      const remove = (versions: string[]) =>
        failure(volume.remove(at('f'), { recursive: false, expected: { versions } }));
      expect(await remove([version])).toMatchObject(refused);
      expect(await remove(['*'])).toBe('it succeeded');
      expect(await write({ absent: true })).toBe('it succeeded');
    });

    for (const verb of ['copy', 'move'] as const) {
      it(`of a ${verb} are about its destination, and beside overwrite`, async () => {
        await using one = await singleCore(kind);
        const volume = await openVolume(one);
        const { version: stale } = await put(volume, 'to', 'first');
        const { version } = await put(volume, 'to', 'second');
        const source = await put(volume, 'from', 'new');
        const act = (expected: Expected, to = 'to', overwrite = true) =>
          failure(volume[verb](at('from'), at(to), { overwrite, expected }));
        const refused = { code: 'precondition_failed' };
        expect(await act({ versions: [stale] })).toMatchObject(refused);
        expect(await act({ versions: [source.version] })).toMatchObject(refused);
        expect(await act({ absent: true })).toMatchObject(refused);
        expect(await act({ versions: ['*'] }, 'made/gone')).toMatchObject(refused);
        expect(await act({ versions: [version] }, 'to', false)).toMatchObject({ code: 'exists' });
        expect(await pathsOf(volume)).toEqual(['from', 'to']);
        expect(await act({ versions: [version] })).toBe('it succeeded');
        expect(await textAt(volume, 'to')).toBe('new');
        await put(volume, 'from', 'newer');
        expect(await act({ absent: true }, 'made/new')).toBe('it succeeded');
        const drift = { bytes: 0, files: 0 };
        expect(await one.core.volumes.rescan(ACME, { dryRun: true })).toMatchObject({ drift });
      });

      it(`let one ${verb} of many replace what all have seen`, async () => {
        await using one = await singleCore(kind);
        const volume = await openVolume(one);
        const { version } = await put(volume, 'to', 'old');
        const rivals = ['a', 'b', 'c', 'd'];
        for (const name of rivals) await put(volume, name, name);
        const options = { overwrite: true, expected: { versions: [version] } };
        const outcomes = await Promise.all(rivals.map((name) => failure(volume[verb](at(name), at('to'), options))));
        const winner = rivals[outcomes.indexOf('it succeeded')];
        expect(await textAt(volume, 'to')).toBe(winner);
        expect(outcomes.filter((outcome) => outcome !== 'it succeeded')).toEqual(
          Array(3).fill(expect.objectContaining({ code: 'precondition_failed' })),
        );
      });
    }
  });
}
