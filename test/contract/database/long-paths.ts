import { randomBytes } from 'node:crypto';
import * as journal from '../../../src/db/journal.ts';
import * as manifest from '../../../src/db/manifest.ts';
import * as objects from '../../../src/db/objects.ts';
import * as outputs from '../../../src/db/outputs.ts';
import type { Database } from '../../../src/db/schema.ts';
import * as seeds from '../../../src/db/seeds.ts';
import { object } from './rows.ts';

/** 16 names of 249 bytes each: as long as a path may be, and nothing that could be compressed. */
export function longPath(): string {
  const name = () => randomBytes(187).toString('base64url').slice(0, 249);
  return Array.from({ length: 16 }, name).join('/');
}

/** An agent names its files as it likes, so no name may stop what the daemon writes down by itself. */
export function describeLongPaths(db: () => Database): void {
  const paths = [longPath(), longPath(), longPath(), `${longPath().slice(0, -4)}/\udcff`, 'short', ''];
  const sorted = [...paths].sort();

  /** Goes through a table page by page, as its readers do. */
  const all = async (page: (after: string | null) => Promise<readonly string[]>) => {
    const found: string[] = [];
    for (let after: string | null = null; ; after = found.at(-1) ?? null) {
      const next = await page(after);
      if (next.length === 0) return found;
      found.push(...next);
    }
  };

  describe('long paths', () => {
    it('are found, paged, replaced and removed in a manifest', async () => {
      const of = { tenant: 'long', agent: 'a' };
      const everything = () => all((after) => manifest.pageManifest(db(), of, after, 2));
      const files = paths.map((path, size) => ({ path, size, version: 'v', sha256: 'aa' }));
      await manifest.putInManifest(db(), of, files);
      await manifest.putInManifest(db(), of, [
        { ...files[0], path: paths[0] ?? '', size: 9, version: 'w', sha256: 'b' },
      ]);
      const found = await manifest.findInManifest(db(), of, [...paths, 'none']);
      expect([...found.keys()].sort()).toEqual(sorted);
      expect(found.get(paths[0] ?? '')).toEqual({ path: paths[0], size: 9, version: 'w', sha256: 'b' });
      expect((await everything()).sort()).toEqual(sorted);
      expect(await everything()).toEqual(await everything());
      await manifest.removeFromManifest(db(), of, paths.slice(1));
      expect(await everything()).toEqual([paths[0]]);
    });

    it('are found, paged, replaced and removed among the outputs of a run', async () => {
      const output = { run_id: 'long', object_id: null, version: 'v', reason: null };
      const everything = () =>
        all(async (after) => (await outputs.pageOutputs(db(), 'long', after, 2)).map(({ path }) => path));
      for (const path of paths) await outputs.putOutput(db(), { ...output, path });
      const replaced = { ...output, path: paths[0] ?? '', reason: 'over quota' };
      await outputs.putOutput(db(), replaced);
      await outputs.putOutput(db(), { ...replaced, path: 'a' });
      expect(await outputs.findOutputs(db(), 'long', [replaced.path, 'none'])).toEqual(
        new Map([[replaced.path, replaced]]),
      );
      expect((await everything()).sort()).toEqual([...paths, 'a'].sort());
      const skipped = await outputs.skippedOutputs(db(), 'long', 10);
      expect(skipped.map(({ path }) => path)).toEqual(['a', replaced.path].sort());
      expect(await outputs.skippedOutputs(db(), 'long', 1)).toHaveLength(1);
      for (const path of paths) await outputs.removeOutput(db(), 'long', path);
      expect(await everything()).toEqual(['a']);
    });

    it('are kept in a journal, among seeds and with an object', async () => {
      const step = { run_id: 'long', kind: 'file', inode: '1', aside: null } as const;
      await journal.insertSteps(
        db(),
        paths.map((path, n) => ({ ...step, n, path })),
      );
      const steps = await journal.stepsBackwards(db(), 'long', null, 10);
      expect(steps.map(({ path }) => path).reverse()).toEqual(paths);
      const seed = { run_id: 'long', size: 1, sha256: 'aa', source: '{}', automatic: 0 };
      await seeds.insertSeeds(
        db(),
        paths.map((path, n) => ({ ...seed, n, path })),
      );
      expect(await seeds.findSeedAt(db(), 'long', paths[3] ?? '')).toMatchObject({ n: 3, path: paths[3] });
      await objects.insertObject(db(), object('long', 'long-1', { path: paths[0] ?? '' }));
      expect(await objects.findObject(db(), 'long', 'long-1')).toMatchObject({ path: paths[0] });
    });
  });
}
