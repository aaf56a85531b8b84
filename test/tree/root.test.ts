import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePath as p, ROOT } from '../../src/tree/path.ts';
import { openDataRoot } from '../../src/tree/root.ts';
import { staged } from '../contract/tree.contract.ts';
import { temporaryDirectory, temporaryHome } from '../support/tree.ts';

describe('a data root', () => {
  it('makes homes, opens them again, and lists them', async () => {
    using home = await temporaryHome(['f: x']);
    const again = await home.root.open(['tenants', 'acme', 'store']);
    expect(await again.tree.stat(p('f'))).toMatchObject({ size: 1 });
    await home.root.open(['tenants', 'acme', 'objects']);
    await home.root.open(['tenants', 'other', 'agents', 'a1']);
    expect((await Array.fromAsync(home.root.homes())).map((segments) => segments.join('/')).toSorted()).toEqual([
      ...['tenants/acme/objects', 'tenants/acme/store', 'tenants/other/agents/a1'],
    ]);
    expect(statSync(join(home.hostPath, '../staging')).mode & 0o777).toBe(0o700);
    await expect(home.root.open(['tenants', '..', 'store'])).rejects.toMatchObject({ code: 'internal' });
    await expect(home.root.open([])).rejects.toMatchObject({ code: 'internal' });
  });

  it('removes a home whole, with what another removal left, and says not_found afterwards', async () => {
    using home = await temporaryHome(['d/e/f: x']);
    const trash = join(home.path, 'root/trash');
    mkdirSync(join(trash, 'dead~1/0/left'), { recursive: true });
    await home.root.remove(['tenants', 'acme', 'store']);
    await home.root.remove(['tenants', 'acme', 'store']);
    expect(readdirSync(trash)).toEqual([]);
    await expect(home.tree.stat(ROOT)).rejects.toMatchObject({ code: 'not_found' });
    await expect(home.tree.mkdir(p('d'))).rejects.toMatchObject({ code: 'not_found' });
    expect(await Array.fromAsync(home.root.homes())).toEqual([]);
    expect(await (await home.root.open(['tenants', 'acme', 'store'])).tree.count()).toEqual({ bytes: 0, files: 0 });
  });

  it('fails closed without the list of descriptors, unless best effort is allowed', async () => {
    using directory = temporaryDirectory();
    const options = { path: directory.path, instance: 'i', durability: 'none', descriptors: '/nonexistent' } as const;
    await expect(openDataRoot(options)).rejects.toMatchObject({ code: 'unavailable' });
    expect((await openDataRoot({ ...options, bestEffort: true })).containment).toBe('best-effort');
    expect((await openDataRoot({ ...options, descriptors: '/proc/self/fd' })).containment).toBe('proc');
  });

  it('refuses a root of another format', async () => {
    using directory = temporaryDirectory();
    const options = { path: directory.path, instance: 'i', durability: 'none' } as const;
    await openDataRoot(options);
    expect(readFileSync(join(directory.path, 'FORMAT'), 'utf8')).toBe('1\n');
    await openDataRoot(options);
    writeFileSync(join(directory.path, 'FORMAT'), '2\n');
    await expect(openDataRoot(options)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('probes by writing, and knows how much is free', async () => {
    using home = await temporaryHome();
    await home.root.probe();
    expect(readdirSync(join(home.path, 'root/trash'))).toEqual([]);
    expect(await home.root.freeBytes()).toBeGreaterThan(0);
    rmSync(join(home.path, 'root'), { recursive: true });
    writeFileSync(join(home.path, 'root'), 'a file');
    await expect(home.root.probe()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('gives all it makes in homes to the owner', async () => {
    const owner = { uid: 1234, gid: 1235 };
    using home = await temporaryHome(['src/f: x', 'src/l => f'], { owner });
    const { tree, staging } = home;
    const mayChown = process.getuid?.() === 0;
    expect(home.root.giving).toEqual(mayChown ? { owner, lacks: [] } : { owner: null, lacks: ['CAP_CHOWN'] });
    await tree.mkdir(p('a/b'));
    await tree.place(p('a/f'), await staged(home, 'x'), 'create');
    await tree.place(p('a/l'), await staging.symlink('f'), 'create');
    await tree.place(p('a/c'), await staging.copy(await tree.open(p('src/f'))), 'create');
    const copy = await staging.copyDirectory(tree, p('src'), async () => undefined);
    await tree.place(p('a/d'), copy, 'create');
    const expected = mayChown ? owner : { uid: process.getuid?.(), gid: process.getgid?.() };
    for (const path of ['', 'a', ...readdirSync(home.at('a'), { recursive: true }).map((name) => `a/${name}`)]) {
      const { uid, gid } = existsSync(home.at(path)) ? statSync(home.at(path)) : expected;
      expect([path, uid, gid]).toEqual([path, expected.uid, expected.gid]);
    }
  });
});
