import { linkSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RewriteOptions, Volume } from '../../src/core/core.ts';
import { type BytePatch, patched } from '../../src/core/edits/byte-patch.ts';
import type { OpenFile } from '../../src/tree/tree.ts';
import { ACME, at, bodyOf, coreSite, failure, openVolume, put, singleCore, textAt } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const WIDE: RewriteOptions = { maxBytes: 1e9 };

function append(volume: Volume, path: string, text: string, options = WIDE) {
  const patch: BytePatch = { operation: 'append', content: Buffer.from(text) };
  return volume.rewrite(at(path), async (file) => patched(file, patch), options);
}

for (const kind of DATABASES) {
  describe(`a rewrite on ${kind.name}`, () => {
    it('keeps every append of many that come at once, in one process and in two', async () => {
      await using site = await coreSite(kind);
      const cores = [await site.open({ severalProcesses: true }), await site.open({ severalProcesses: true })];
      await cores[0]?.core.tenants.admit(ACME);
      const volumes = await Promise.all(cores.map((one) => openVolume(one)));
      for (const volume of volumes.slice(0, 1)) await put(volume, 'log', '');
      const lines = Array.from({ length: 40 }, (_, n) => `line ${n}\n`);
      await Promise.all(
        lines.flatMap((line, n) => volumes.slice(n % 2, (n % 2) + 1).map((v) => append(v, 'log', line))),
      );
      for (const volume of volumes) {
        const kept = (await textAt(volume, 'log')).split(/(?<=\n)/);
        expect(kept.toSorted()).toEqual(lines.toSorted());
      }
    });

    it('would lose some of them as reading and then writing does', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'log', '');
      const readThenWrite = async (n: number) => put(volume, 'log', `${await textAt(volume, 'log')}line ${n}\n`);
      await Promise.all(Array.from({ length: 20 }, (_, n) => readThenWrite(n)));
      expect((await textAt(volume, 'log')).split('\n').length - 1).toBeLessThan(20);
    });

    it('charges the difference, and keeps mode and attributes', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await volume.write(at('f'), bodyOf(1000), { mode: 'create', maxBytes: 1e6, permissions: 0o640 });
      await one.core.attributes.set(volume.ref, at('f'), { tags: ['kept'] });
      await one.core.tenants.put(ACME, { quotaBytes: 1010 });
      const { entry } = await append(volume, 'f', '0123456789');
      expect(entry).toMatchObject({ size: 1010, mode: 0o640 });
      expect((await one.core.attributes.get(volume.ref, at('f'))).tags).toEqual(['kept']);
      expect(await failure(append(volume, 'f', 'x'))).toMatchObject({ code: 'quota_exceeded' });
      expect((await one.core.tenants.get(ACME)).usage).toMatchObject({ bytes: 1010, files: 1, reservedBytes: 0 });
      const { drift } = await one.core.volumes.rescan(ACME, { dryRun: true });
      expect(drift).toEqual({ bytes: 0, files: 0 });
    });

    it('begins again where the account had to be counted first', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'f', 'a');
      await one.db.updateTable('usage').set({ recount: 1 }).execute();
      await append(volume, 'f', 'b');
      expect(await textAt(volume, 'f')).toBe('ab');
    });
  });
}

describe('a rewrite', () => {
  const [kind] = DATABASES;
  if (kind === undefined) throw new Error('there is a database');
  const treeOf = (root: string) => join(root, 'tenants', ACME, 'store', 'tree');

  it('holds the condition against the file, also against one that is gone', async () => {
    await using one = await singleCore(kind);
    const volume = await openVolume(one);
    await put(volume, 'f', 'a');
    const { version } = await volume.stat(at('f'));
    const matching = { ...WIDE, expected: { versions: [version] } };
    expect((await append(volume, 'f', 'b', matching)).entry.version).not.toBe(version);
    expect(await failure(append(volume, 'f', 'c', matching))).toMatchObject({ code: 'precondition_failed' });
    expect(await failure(append(volume, 'gone', 'c', matching))).toMatchObject({ code: 'precondition_failed' });
    expect(await failure(append(volume, 'gone', 'c'))).toMatchObject({ code: 'not_found' });
    expect(await failure(append(volume, 'f', 'c', { ...WIDE, expected: { absent: true } }))).toMatchObject({
      code: 'precondition_failed',
    });
    expect(await textAt(volume, 'f')).toBe('ab');
  });

  it('refuses a file or a result beyond the limit, and says the limit', async () => {
    await using one = await singleCore(kind);
    const volume = await openVolume(one);
    await put(volume, 'f', '12345');
    for (const [maxBytes, requested] of [
      [4, 5],
      [5, 6],
    ] as const) {
      const refused = await failure(append(volume, 'f', '6', { maxBytes }));
      expect(refused).toMatchObject({ code: 'too_large', detail: { path: 'f', limit: maxBytes, requested } });
    }
    expect((await append(volume, 'f', '6', { maxBytes: 6 })).entry.size).toBe(6);
  });

  it('gives way to a process in the mount that changed or replaced the file meanwhile', async () => {
    await using site = await coreSite(kind);
    const one = await site.open();
    await one.core.tenants.admit(ACME);
    const volume = await openVolume(one);
    await put(volume, 'f', 'ours');
    const onDisk = join(treeOf(site.path), 'f');
    const meanwhile = async (file: OpenFile) => {
      writeFileSync(onDisk, 'theirs');
      return patched(file, { operation: 'append', content: Buffer.from('!') });
    };
    expect(await failure(volume.rewrite(at('f'), meanwhile, WIDE))).toMatchObject({ code: 'conflict' });
    const shortened = async (file: OpenFile) => {
      writeFileSync(onDisk, '');
      return patched(file, { operation: 'append', content: Buffer.from('!') });
    };
    expect(await failure(volume.rewrite(at('f'), shortened, WIDE))).toMatchObject({ code: 'conflict' });
    expect(readFileSync(onDisk, 'utf8')).toBe('');
    expect((await one.core.tenants.get(ACME)).usage.reservedBytes).toBe(0);
    expect(one.root.stagedBytes()).toBe(0);
  });

  it('leaves other names of the file, and who has it open, what they had', async () => {
    await using site = await coreSite(kind);
    const one = await site.open();
    await one.core.tenants.admit(ACME);
    const volume = await openVolume(one);
    await put(volume, 'f', 'old');
    const [onDisk, other] = ['f', 'other'].map((name) => join(treeOf(site.path), name)) as [string, string];
    linkSync(onDisk, other);
    await append(volume, 'f', ' and new');
    expect([readFileSync(onDisk, 'utf8'), readFileSync(other, 'utf8')]).toEqual(['old and new', 'old']);
    expect(statSync(onDisk).ino).not.toBe(statSync(other).ino);
  });

  it('leaves everything as it was when the change throws', async () => {
    await using one = await singleCore(kind);
    const volume = await openVolume(one);
    await put(volume, 'f', 'old');
    const fails = () => Promise.reject(new Error('no'));
    await expect(volume.rewrite(at('f'), fails, WIDE)).rejects.toThrow('no');
    expect((await append(volume, 'f', '!')).entry.size).toBe(4);
  });
});
