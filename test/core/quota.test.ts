import { linkSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { FsError } from '../../src/errors.ts';
import {
  A1,
  ACME,
  at,
  bodyOf,
  failure,
  MEGABYTE,
  type OneCore,
  openVolume,
  pathsOf,
  put,
  singleCore,
  WORKSPACE,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const KB = 1024;

async function limited(one: OneCore, quotaBytes: number, quotaFiles = 0): Promise<OneCore> {
  await one.core.tenants.put(ACME, { quotaBytes, quotaFiles });
  return one;
}

async function usage(one: OneCore) {
  return (await one.core.tenants.get(ACME)).usage;
}

/** The ledger holds what the disk holds, and nothing is reserved any more. */
async function expectTrueLedger(one: OneCore): Promise<void> {
  const { drift } = await one.core.volumes.rescan(ACME, { dryRun: true });
  expect(drift).toEqual({ bytes: 0, files: 0 });
  expect((await usage(one)).reservedBytes).toBe(0);
}

for (const kind of DATABASES) {
  describe(`quota on ${kind.name}`, () => {
    it('lets 200 concurrent writers into the last megabyte and never beyond it', async () => {
      await using one = await singleCore(kind);
      await limited(one, 2 * MEGABYTE);
      const volume = await openVolume(one);
      await put(volume, 'held', MEGABYTE);
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          failure(
            volume.write(at(`f${n}`), bodyOf(20 * KB), {
              mode: 'create',
              maxBytes: MEGABYTE,
              declaredBytes: n % 2 === 0 ? 20 * KB : null,
            }),
          ),
        ),
      );
      const refused = outcomes.filter((outcome): outcome is FsError => outcome !== 'it succeeded');
      const { bytes } = await usage(one);
      expect(bytes).toBeLessThanOrEqual(2 * MEGABYTE);
      expect(bytes).toBe(MEGABYTE + (200 - refused.length) * 20 * KB);
      expect(refused.length).toBeGreaterThanOrEqual(149);
      for (const { code, detail } of refused) {
        expect(code).toBe('quota_exceeded');
        expect(detail.limit).toBe(2 * MEGABYTE);
        expect((detail.used ?? 0) + (detail.requested ?? 0)).toBeGreaterThan(2 * MEGABYTE);
      }
      await expectTrueLedger(one);
    });

    it('fills a volume to the last byte', async () => {
      await using one = await singleCore(kind);
      await limited(one, 100 * KB);
      const volume = await openVolume(one);
      const write = (path: string, size: number) =>
        volume.write(at(path), bodyOf(size, 1000), { mode: 'create', maxBytes: MEGABYTE });
      await write('most', 60 * KB);
      await write('rest', 40 * KB);
      expect(await failure(write('more', 1))).toMatchObject({
        code: 'quota_exceeded',
        message: 'tenant acme holds 100 KB of its 100 KB quota; this write needs 1 B more',
        detail: { used: 100 * KB, limit: 100 * KB, requested: 1 },
      });
      await expectTrueLedger(one);
    });

    it('cuts a body without a length at the limit and leaves nothing of it', async () => {
      await using one = await singleCore(kind);
      await limited(one, 300 * KB);
      const volume = await openVolume(one);
      let sent = 0;
      const endless = Readable.from(
        (async function* () {
          for (; sent < 50 * MEGABYTE; sent += 64 * KB) yield Buffer.alloc(64 * KB);
        })(),
      );
      const refused = await failure(volume.write(at('dir/f'), endless, { mode: 'create', maxBytes: 1e9 }));
      expect(refused).toMatchObject({ code: 'quota_exceeded', detail: { used: 0, limit: 300 * KB } });
      expect(sent).toBeLessThan(2 * MEGABYTE);
      expect(await pathsOf(volume)).toEqual([]);
      await expectTrueLedger(one);
    });

    it('charges an overwrite its difference alone', async () => {
      await using one = await singleCore(kind);
      await limited(one, MEGABYTE);
      const volume = await openVolume(one);
      await put(volume, 'f', 900 * KB);
      await put(volume, 'f', MEGABYTE);
      await put(volume, 'f', 10);
      expect((await usage(one)).bytes).toBe(10);
      await put(volume, 'f', MEGABYTE);
      expect(await failure(put(volume, 'f', MEGABYTE + 1))).toMatchObject({
        code: 'quota_exceeded',
        detail: { requested: 1 },
      });
      await expectTrueLedger(one);
    });

    it('keeps two that overwrite one file within the limit', async () => {
      await using one = await singleCore(kind);
      await limited(one, 1000 * KB);
      const volume = await openVolume(one);
      await put(volume, 'f', 500 * KB);
      for (let round = 0; round < 5; round += 1) {
        const outcomes = await Promise.all([failure(put(volume, 'f', 900 * KB)), failure(put(volume, 'f', 950 * KB))]);
        expect(outcomes).toContain('it succeeded');
        expect((await usage(one)).bytes).toBeLessThanOrEqual(1000 * KB);
        await put(volume, 'f', 500 * KB);
      }
      await expectTrueLedger(one);
    });

    it('looks again at what an overwrite replaces when the file went meanwhile', async () => {
      await using one = await singleCore(kind);
      await limited(one, 100 * KB);
      const volume = await openVolume(one);
      await put(volume, 'f', 90 * KB);
      const body = Readable.from(
        (async function* () {
          yield Buffer.alloc(95 * KB);
          // The credit of the old file is spent by another before this body ends.
          await volume.remove(at('f'), { recursive: false });
          await put(volume, 'g', 90 * KB);
        })(),
      );
      const outcome = await failure(volume.write(at('f'), body, { mode: 'upsert', maxBytes: MEGABYTE }));
      expect(outcome).toMatchObject({ code: 'quota_exceeded' });
      expect(await pathsOf(volume)).toEqual(['g']);
      await expectTrueLedger(one);
    });

    it('counts files and directories, names the narrower account that is full', async () => {
      await using one = await singleCore(kind);
      await limited(one, 0, 100);
      await one.core.agents.create(ACME, { agentId: A1, quotaFiles: 3 });
      const volume = await openVolume(one, WORKSPACE);
      await put(volume, 'a/b/c', 'x');
      expect(await failure(put(volume, 'd', 'x'))).toMatchObject({
        code: 'quota_exceeded',
        message: 'workspace a1 holds 3 of its 3 files and directories; this write needs 1 more',
        detail: { used: 3, limit: 3, requested: 1, unit: 'files' },
      });
      await put(volume, 'a/b/c', 'replaced');
      await volume.remove(at('a/b/c'), { recursive: false });
      expect(await failure(put(volume, 'x/y/z', 'x'))).toMatchObject({ code: 'quota_exceeded' });
      expect(await pathsOf(volume)).toEqual(['a/', 'a/b/']);
      await expectTrueLedger(one);
    });

    it('copies a directory only when all of it fits', async () => {
      await using one = await singleCore(kind);
      await limited(one, 100 * KB);
      const volume = await openVolume(one);
      for (let n = 0; n < 6; n += 1) await put(volume, `d/f${n}`, 10 * KB);
      expect(await failure(volume.copy(at('d'), at('e'), { overwrite: false }))).toMatchObject({
        code: 'quota_exceeded',
      });
      expect(await pathsOf(volume)).not.toContain('e/');
      await expectTrueLedger(one);
    });

    it('charges an inode once, whatever its names, and frees it with the last', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      for (const name of ['f', 'd/f', 'e']) await put(volume, name, 1000);
      const { hostPath } = await one.root.open(['tenants', ACME, 'store']);
      linkSync(join(hostPath, 'f'), join(hostPath, 'other name'));
      linkSync(join(hostPath, 'd/f'), join(hostPath, 'd/other name'));
      linkSync(join(hostPath, 'e'), join(hostPath, 'third name'));
      await expectTrueLedger(one);
      await volume.remove(at('f'), { recursive: false });
      await expectTrueLedger(one);
      await put(volume, 'e', 10);
      await expectTrueLedger(one);
      await volume.remove(at('d'), { recursive: true });
      await expectTrueLedger(one);
      await put(volume, 'other name', 1);
      await expectTrueLedger(one);
      expect(await usage(one)).toMatchObject({ bytes: 1 + 10 + 1000, files: 3 });
    });

    it('keeps some of the disk free', async () => {
      await using one = await singleCore(kind, { limits: { diskReserveBytes: 1e18 } });
      const volume = await openVolume(one);
      const home = await one.root.open(['tenants', ACME, 'store']);
      await home.tree.mkdir(at('made'));
      expect(await failure(put(volume, 'f', 1))).toMatchObject({ code: 'quota_exceeded' });
      expect(await failure(volume.mkdir(at('d')))).toMatchObject({ code: 'quota_exceeded' });
      expect(await pathsOf(volume)).toEqual(['made/']);
      await volume.chmod(at('made'), 0o700);
      await volume.remove(at('made'), { recursive: true });
      expect(await pathsOf(volume)).toEqual([]);
    });

    it('counts again in the midst of writers without losing one', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      const writers = Array.from({ length: 30 }, async (_, n) => {
        await put(volume, `d${n % 3}/f${n}`, 100 + n);
        if (n % 4 === 0) await volume.remove(at(`d${n % 3}/f${n}`), { recursive: false });
      });
      const recounts = Array.from({ length: 5 }, () => one.core.volumes.rescan(ACME, { dryRun: false }));
      await Promise.all([...writers, ...recounts]);
      await expectTrueLedger(one);
    });

    it('counts what came and went behind its back', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'f', 1000);
      const home = await one.root.open(['tenants', ACME, 'store']);
      await home.tree.remove(at('f'), { recursive: false });
      await home.tree.mkdir(at('made'));
      const drift = { bytes: -1000, files: 0 };
      expect(await one.core.volumes.rescan(ACME, { dryRun: true })).toMatchObject({ drift, repaired: false });
      expect(await one.core.volumes.rescan(ACME, { dryRun: false })).toMatchObject({ drift, repaired: true });
      expect(await usage(one)).toMatchObject({ bytes: 0, files: 1 });
    });
  });
}
