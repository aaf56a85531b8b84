import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { parsePath as p, ROOT, type TreePath } from '../../src/tree/path.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { temporaryHome } from '../support/tree.ts';

async function allPages(tree: Tree, dir: TreePath, limit: number, depth: number): Promise<string[]> {
  const paths: string[] = [];
  for (let after: TreePath | null = null; ; ) {
    const { entries, next } = await tree.list(dir, { after, limit, depth });
    expect(entries.length).toBeLessThanOrEqual(limit);
    paths.push(...entries.map(({ path }) => path));
    if (next === null) return paths;
    after = next;
  }
}

const TREE = ['a/b/c: x', 'a/b!: x', 'a!: x', 'b/: x', 'c => a', 'd/e/f/g: x', 'd/z: x', 'e: x'];
const DEPTHS: readonly [depth: number, paths: readonly string[]][] = [
  [1, ['a', 'a!', 'b', 'c', 'd', 'e']],
  [2, ['a', 'a/b', 'a/b!', 'a!', 'b', 'c', 'd', 'd/e', 'd/z', 'e']],
  [9, ['a', 'a/b', 'a/b/c', 'a/b!', 'a!', 'b', 'c', 'd', 'd/e', 'd/e/f', 'd/e/f/g', 'd/z', 'e']],
];

describe('list', () => {
  it.each(DEPTHS)(
    'pages through %i levels by name, a directory before its content, whatever the limit',
    async (depth, paths) => {
      using home = await temporaryHome(TREE.map((line) => line.replace('b/: x', 'b/')));
      for (const limit of [1, 2, 3, 7, 100]) expect(await allPages(home.tree, ROOT, limit, depth)).toEqual(paths);
    },
  );

  it('pages below a directory with full paths', async () => {
    using home = await temporaryHome(TREE.map((line) => line.replace('b/: x', 'b/')));
    for (const limit of [1, 2, 100]) {
      expect(await allPages(home.tree, p('d'), limit, 5)).toEqual(['d/e', 'd/e/f', 'd/e/f/g', 'd/z']);
    }
  });

  it('goes on after what is there no more, or is no directory any more', async () => {
    using home = await temporaryHome(['a/x: 1', 'a/y: 1', 'b/x: 1', 'c: 1']);
    const after = (path: string) => home.tree.list(ROOT, { after: p(path), limit: 9, depth: 9 });
    const paths = async (path: string) => (await after(path)).entries.map((entry) => entry.path);
    rmSync(home.at('a/x'));
    expect(await paths('a/x')).toEqual(['a/y', 'b', 'b/x', 'c']);
    rmSync(home.at('a'), { recursive: true });
    expect(await paths('a/x')).toEqual(['b', 'b/x', 'c']);
    rmSync(home.at('b'), { recursive: true });
    writeFileSync(home.at('b'), 'a file now');
    expect(await paths('b/w')).toEqual(['c']);
    expect(await paths('zzz')).toEqual([]);
  });

  it('refuses what is no directory, and a cursor of another directory', async () => {
    using home = await temporaryHome(['a/f: 1', 'l => a']);
    const list = (dir: string, after: TreePath | null) => home.tree.list(p(dir), { after, limit: 9, depth: 1 });
    await expect(list('a/f', null)).rejects.toMatchObject({ code: 'not_directory' });
    await expect(list('l', null)).rejects.toMatchObject({ code: 'symlink' });
    await expect(list('no', null)).rejects.toMatchObject({ code: 'not_found' });
    await expect(list('a', p('b/c'))).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('pages through 20,000 names, remembering no more than a page of them', async () => {
    using home = await temporaryHome();
    const names = Array.from({ length: 20_000 }, (_, index) => `n${String(index * 7919).padStart(10, '0')}`);
    mkdirSync(home.at('d'));
    for (const name of names) writeFileSync(home.at(`d/${name}`), '');
    const before = process.memoryUsage().heapUsed;
    const page = await home.tree.list(p('d'), { after: null, limit: 100, depth: 1 });
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
    expect(page.entries.map(({ path }) => path)).toEqual(names.slice(0, 100).map((name) => `d/${name}`));
    expect(await allPages(home.tree, p('d'), 5000, 1)).toHaveLength(20_000);
    expect(await home.tree.count()).toEqual({ bytes: 0, files: 20_001 });
    expect(await home.tree.remove(ROOT, { recursive: true })).toEqual({ bytes: 0, files: 20_001 });
  });
});
