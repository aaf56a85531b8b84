import type { Intake, JournalStep, Placement, Volume } from '../../src/core/core.ts';
import type { PlaceMode } from '../../src/tree/tree.ts';
import { ACME, at, bodyOf, failure, openVolume, pathsOf, put, STORE, singleCore, textAt } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

async function received(intake: Intake, files: Readonly<Record<string, string>>, mode: PlaceMode = 'upsert') {
  const placements: Placement[] = [];
  for (const [path, content] of Object.entries(files)) {
    const staged = await intake.receive(bodyOf(content), { maxBytes: 1000 });
    placements.push({ path: at(path), staged, mode });
  }
  return placements;
}

async function commit(volume: Volume, files: Readonly<Record<string, string>>, mode?: PlaceMode): Promise<unknown> {
  const intake = volume.intake();
  return failure(intake.commit(await received(intake, files, mode)));
}

for (const kind of DATABASES) {
  describe(`an intake on ${kind.name}`, () => {
    it('places several files with their parents under one reservation', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'a/old', 'replace me');
      expect(await commit(volume, { 'a/old': 'new', 'b/c/d': '1', 'b/c/e': '22', f: '333' })).toBe('it succeeded');
      expect(await pathsOf(volume)).toEqual(['a/', 'a/old', 'b/', 'b/c/', 'b/c/d', 'b/c/e', 'f']);
      expect(await textAt(volume, 'a/old')).toBe('new');
      expect(await one.core.volumes.rescan(ACME, { dryRun: true })).toMatchObject({
        ledger: { bytes: 9, files: 7 },
        drift: { bytes: 0, files: 0 },
      });
    });

    it('places nothing when one of many cannot be', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'dir/file', 'x');
      const before = await pathsOf(volume);
      const refused = async (files: Readonly<Record<string, string>>, code: string, mode?: PlaceMode) => {
        expect(await commit(volume, { ok: '1', 'new/ok': '2', ...files }, mode)).toMatchObject({ code });
        expect(await pathsOf(volume)).toEqual(before);
      };
      await refused({ dir: 'a directory is in the way' }, 'is_directory');
      await refused({ 'dir/file/under': 'a file is in the way' }, 'not_directory');
      await refused({ 'ok/under': 'its parent is a file of the same commit' }, 'conflict');
      await refused({ 'dir/file': 'exists' }, 'exists', 'create');
      await refused({ 'bad\nname': 'control character' }, 'invalid_path');
      expect(await one.core.tenants.get(ACME)).toMatchObject({ usage: { bytes: 1, files: 2, reservedBytes: 0 } });
    });

    it('refuses one path named twice', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      const intake = volume.intake();
      const placements = [...(await received(intake, { f: '1' })), ...(await received(intake, { f: '2' }))];
      expect(await failure(intake.commit(placements))).toMatchObject({ code: 'conflict' });
      expect(await pathsOf(volume)).toEqual([]);
    });

    it('undoes what it placed when a later file cannot be placed after all', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'a', 'old');
      const intake = volume.intake();
      const placements = await received(intake, { a: 'new', 'made/b': '1', c: '2' });
      // Gone from staging, as when the disk fails between the first file and the last.
      await placements.at(-1)?.staged.discard();
      expect(await failure(intake.commit(placements))).toBeInstanceOf(Error);
      expect(await pathsOf(volume)).toEqual(['a']);
      expect(await textAt(volume, 'a')).toBe('old');
      expect(await one.core.volumes.rescan(ACME, { dryRun: true })).toMatchObject({ drift: { bytes: 0, files: 0 } });
      expect(await stagedItems(one.root)).toBe(0);
    });

    it('replaces files of a full volume, and never passes the limit', async () => {
      await using one = await singleCore(kind);
      await one.core.tenants.put(ACME, { quotaBytes: 200_000, quotaFiles: 2 });
      const volume = await openVolume(one);
      await put(volume, 'a', 150_000);
      await put(volume, 'b', 50_000);
      const replace = async (sizes: Readonly<Record<string, number>>, guess = (path: string) => path) => {
        const intake = volume.intake();
        const placements: Placement[] = [];
        const work = async () => {
          for (const [path, size] of Object.entries(sizes)) {
            const staged = await intake.receive(bodyOf(size), { maxBytes: 1e6, replacing: at(guess(path)) });
            placements.push({ path: at(path), staged, mode: 'upsert' });
          }
          await intake.commit(placements);
        };
        const outcome = await failure(work());
        await intake.abort();
        return outcome;
      };
      const full = { code: 'quota_exceeded' };
      expect(await replace({ a: 150_000 })).toBe('it succeeded');
      expect(await replace({ a: 50_000, b: 150_000 })).toBe('it succeeded');
      expect(await replace({ b: 150_001 })).toMatchObject(full);
      // A wrong guess is no way round the limit, and costs nobody who needs no room.
      expect(await replace({ c: 40_000 }, () => 'b')).toMatchObject(full);
      expect(await replace({ b: 150_000, c: 1 }, () => 'a')).toMatchObject(full);
      expect(await replace({ a: 50_000 }, () => 'b')).toBe('it succeeded');
      expect(await replace({ a: 50_000 }, () => 'b/below/a/file')).toMatchObject(full);
      const rivals = await Promise.all([replace({ a: 50_000 }), replace({ a: 50_000 }), replace({ b: 150_000 })]);
      expect(rivals).toEqual(Array(3).fill('it succeeded'));
      expect(await one.core.tenants.get(ACME)).toMatchObject({ usage: { bytes: 200_000, files: 2, reservedBytes: 0 } });
      expect(await one.core.volumes.rescan(ACME, { dryRun: true })).toMatchObject({ drift: { bytes: 0, files: 0 } });
      expect(await stagedItems(one.root)).toBe(0);
    });

    it('keeps nothing of several when the quota ends among them', async () => {
      await using one = await singleCore(kind);
      await one.core.tenants.put(ACME, { quotaBytes: 100_000 });
      const volume = await openVolume(one);
      const intake = volume.intake();
      await intake.receive(bodyOf(60_000), { maxBytes: 1e6 });
      const second = intake.receive(bodyOf(60_000), { maxBytes: 1e6 });
      expect(await failure(second)).toMatchObject({ code: 'quota_exceeded' });
      await intake.abort();
      expect(await one.core.tenants.get(ACME)).toMatchObject({ usage: { bytes: 0, reservedBytes: 0 } });
      expect(await stagedItems(one.root)).toBe(0);
    });

    it('reserves for all of a planned copy at once, or refuses at once', async () => {
      await using one = await singleCore(kind);
      await one.core.tenants.put(ACME, { quotaBytes: 1000 });
      const volume = await openVolume(one);
      const intake = volume.intake();
      expect(await failure(intake.reserve({ bytes: 1001, files: 1 }))).toMatchObject({ code: 'quota_exceeded' });
      await intake.reserve({ bytes: 900, files: 2 });
      expect(await failure(put(volume, 'other', 101))).toMatchObject({ code: 'quota_exceeded' });
      await intake.abort();
      await put(volume, 'other', 101);
    });

    it('tells a journal every step before the first, and keeps what is replaced under its name', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      await put(volume, 'old', 'before');
      const intake = volume.intake();
      const placements = await received(intake, { old: 'after', 'p/q/new': '1' });
      const recorded: JournalStep[] = [];
      const journal = {
        owner: 'run_1',
        record: async (steps: readonly JournalStep[]) => {
          expect(await pathsOf(volume)).toEqual(['old']);
          recorded.push(...steps);
        },
      };
      await intake.commit(placements, journal);
      expect(recorded).toMatchObject([
        { path: 'p', kind: 'directory', aside: null },
        { path: 'p/q', kind: 'directory', aside: null },
        { path: 'old', kind: 'file', inode: placements[0]?.staged.inode, aside: expect.stringMatching(/^run_1~/) },
        { path: 'p/q/new', kind: 'file', inode: placements[1]?.staged.inode, aside: null },
      ]);
      const home = await one.root.open(['tenants', ACME, 'store']);
      const aside = recorded[2]?.aside ?? '';
      expect(await home.staging.restore(home.tree, aside, at('old'))).toBe(true);
      expect(await textAt(volume, 'old')).toBe('before');
    });
  });
}

/** How many things lie in the staging of the store, whoever owns them. */
async function stagedItems(root: {
  open(segments: readonly string[]): Promise<{ staging: StagingSweep }>;
}): Promise<number> {
  const home = await root.open(['tenants', STORE.tenant, 'store']);
  return home.staging.sweep({ has: () => false });
}

interface StagingSweep {
  sweep(living: { has(owner: string): boolean }): Promise<number>;
}
