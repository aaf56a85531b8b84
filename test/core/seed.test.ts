import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import type { RunWanted } from '../../src/core/core.ts';
import { FsError } from '../../src/errors.ts';
import { type ObjectId, parseAgentId } from '../../src/ids.ts';
import { DATABASES } from '../support/databases.ts';
import { AGENT, fromObject, fromStore, House, Site } from './house.ts';

describe.each(DATABASES)('copy-in on $name', (kind) => {
  let site: Site;
  let house: House;

  beforeAll(async () => {
    site = await Site.open(kind);
  });

  afterAll(() => site.close());

  beforeEach(async () => {
    house = await House.open(site);
  });

  const read = (path: string) => readFileSync(house.disk(path), 'utf8');
  const modeOf = (path: string) => statSync(house.disk(path)).mode & 0o777;

  it('runs.start copies files, directories and globs of the store to where they lie there', async () => {
    await house.store({ 'a.txt': 'A', 'd/x/1.csv': '1', 'd/2.csv': '2', 'd/3.txt': '3', 'e/f/4': '4', 'e/5': '5' });
    const run = await house.start({ seeds: [fromStore('/a.txt'), fromStore('d/**/*.csv'), fromStore('e/')] });
    expect(run).toMatchObject({ status: 'running', seededFiles: 5, seededBytes: 5 });
    expect(await house.seeded(run)).toEqual(['a.txt', 'd/2.csv', 'd/x/1.csv', 'e/5', 'e/f/4']);
    expect([read('a.txt'), read('d/x/1.csv'), read('e/f/4')]).toEqual(['A', '1', '4']);
  });

  it('runs.start puts a file at `to`, into a `to` with a slash at its end, and directories and globs below it', async () => {
    await house.store({ 'a.txt': 'A', 'd/x/1.csv': '1', 'd/2.csv': '2' });
    const seeds = [
      fromStore('a.txt', 'new/name'),
      fromStore('a.txt', 'in/'),
      fromStore('d', 'all'),
      fromStore('d/**/*.csv', '/tables/'),
    ];
    const run = await house.start({ seeds });
    expect(await house.seeded(run)).toEqual([
      ...['all/2.csv', 'all/x/1.csv', 'in/a.txt', 'new/name', 'tables/2.csv', 'tables/x/1.csv'],
    ]);
  });

  it('runs.start makes copies: writable, or 0444 with mode ro, and edits never reach the store', async () => {
    await house.store({ 'a.txt': 'A', 'b.txt': 'B' });
    await house.start({ seeds: [fromStore('a.txt', null, 'ro'), fromStore('b.txt')] });
    expect([modeOf('a.txt'), modeOf('b.txt')]).toEqual([0o444, 0o644]);
    writeFileSync(house.disk('b.txt'), 'changed');
    const store = await house.parts.volumes.open(house.grant, house.storeRef, 'read');
    const file = await store.open('b.txt' as never);
    expect((await file.bytes(10)).toString()).toBe('B');
    await file.close();
  });

  it('runs.start puts objects at /data/<filename>, made safe, and takes a literal name before a glob', async () => {
    const named = await house.upload('N', { filename: '../../etc/pass\u0001wd', purpose: 'knowledge' });
    const bare = await house.upload('U', { purpose: 'knowledge' });
    await house.store({ 'x[1].txt': 'literal', 'x1.txt': 'no' });
    const run = await house.start({ seeds: [fromObject(named.id), fromObject(bare.id), fromStore('x[1].txt')] });
    expect(await house.seeded(run)).toEqual([`data/${bare.id}`, 'data/pass_wd', 'x[1].txt'].sort());
    const { items } = await house.runs.seeded(run.id, { limit: 1, cursor: null });
    expect(items).toMatchObject([{ source: { fileId: named.id }, size: 1, sha256: named.sha256 }]);
  });

  it('runs.start pages the seed manifest by opaque cursors', async () => {
    await house.store({ 'd/1': '1', 'd/2': '2', 'd/3': '3' });
    const run = await house.start({ seeds: [fromStore('d')] });
    const first = await house.runs.seeded(run.id, { limit: 2, cursor: null });
    const second = await house.runs.seeded(run.id, { limit: 2, cursor: first.next });
    expect([first.items.length, second.items.length, second.next]).toEqual([2, 1, null]);
    await expect(house.runs.seeded(run.id, { limit: 2, cursor: '!' })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  describe('all or nothing', () => {
    const files: Readonly<Record<string, string>> = { 'a.txt': 'A', 'd/1': '1', 'd/2': '2' };

    async function refused(wanted: Partial<RunWanted>): Promise<FsError> {
      const [before, ledger] = [house.listing(), await house.usage()];
      const error = await house.start(wanted).catch((thrown: unknown) => thrown);
      expect(house.listing()).toEqual(before);
      expect(house.staging()).toEqual([]);
      expect(await house.usage()).toEqual(ledger);
      expect((await house.runs.list(house.grant, AGENT, { limit: 9, cursor: null })).items).toEqual([]);
      if (!(error instanceof FsError)) throw error;
      return error;
    }

    beforeEach(async () => {
      await house.store(files);
      await house.parts.agents.create(house.tenant, { agentId: AGENT, quotaBytes: 100 });
      writeFileSync(house.made('d/1'), 'old');
      writeFileSync(house.made('mine'), 'mine');
      symlinkSync('/etc', house.disk('out'));
      await house.parts.volumes.recount(house.workspaceRef());
    });

    it('runs.start refuses a missing path, pattern or id with not_found that names it', async () => {
      for (const missing of ['nope.txt', 'nope/*.csv', 'd/none*', 'no*/x']) {
        const error = await refused({ seeds: [fromStore('a.txt'), fromStore(missing)] });
        expect([error.code, error.detail.path]).toEqual(['not_found', missing]);
      }
      expect((await refused({ seeds: [fromObject('file_none' as ObjectId)] })).message).toMatch(/file_none/);
      expect((await refused({ inputs: ['file_none' as ObjectId] })).code).toBe('not_found');
    });

    it('runs.start refuses two files with one destination, and a file where a directory must be', async () => {
      const conflicts = [
        [fromStore('a.txt'), fromStore('d/1', 'a.txt')],
        [fromStore('a.txt', 'd')],
        [fromStore('a.txt', 'mine/x')],
        [fromStore('a.txt', 'p'), fromStore('d/1', 'p/q')],
      ];
      for (const seeds of conflicts) expect((await refused({ seeds })).code).toBe('conflict');
      expect((await refused({ seeds: [fromStore('a.txt', 'out/x')] })).code).toBe('symlink');
      expect((await refused({ seeds: [fromStore('a.txt', '../x')] })).code).toBe('invalid_path');
    });

    it('runs.start refuses what exceeds the quota with used, limit and requested, before a byte is copied', async () => {
      await house.store({ 'big.bin': 'x'.repeat(98) });
      const error = await refused({ seeds: [fromStore('d'), fromStore('big.bin')] });
      expect(error).toMatchObject({ code: 'quota_exceeded', detail: { limit: 100, used: 7 } });
      expect(error.detail.requested).toBeGreaterThan(93);
    });

    it('runs.start counts only the difference where it replaces', async () => {
      await house.store({ mine: 'y'.repeat(97) });
      await house.start({ seeds: [fromStore('mine')] });
      expect((await house.usage()).bytes).toBe(100);
    });

    it('runs.start replaces, keeps or refuses files that exist, as on_conflict says', async () => {
      expect((await refused({ seeds: [fromStore('d')], onConflict: 'fail' })).detail.path).toBe('d/1');
      const kept = await house.start({ seeds: [fromStore('d')], onConflict: 'keep' });
      expect([read('d/1'), read('d/2'), await house.seeded(kept)]).toEqual(['old', '2', ['d/2']]);
      await house.finish(kept);
      const replaced = await house.start({ seeds: [fromStore('d')] });
      expect([read('d/1'), (await house.seeded(replaced)).length]).toEqual(['1', 2]);
      expect(house.staging()).toEqual([]);
    });

    it('runs.start leaves no workspace behind that only a refused run wanted', async () => {
      const agent = parseAgentId('fresh');
      await expect(house.start({ inputs: ['file_none' as ObjectId] }, agent)).rejects.toMatchObject({
        code: 'not_found',
      });
      await expect(house.parts.volumes.open(house.grant, house.workspaceRef(agent), 'read')).rejects.toMatchObject({
        code: 'not_found',
      });
    });

    it('runs.start takes back what it placed when a later step fails', async () => {
      const before = house.listing();
      // A manifest cannot be taken of a tree deeper than the daemon looks.
      mkdirSync(house.disk(Array(520).fill('z').join('/')), { recursive: true });
      const deep = house.listing();
      await expect(house.start({ seeds: [fromStore('d'), fromStore('a.txt')] })).rejects.toMatchObject({
        code: 'too_large',
      });
      expect(house.listing()).toEqual(deep);
      expect(deep.length).toBe(before.length + 520);
      expect(house.staging()).toEqual([]);
    });

    it('agents.create with files is as all-or-nothing, and lists no run', async () => {
      const seeds = [fromStore('d'), fromStore('nope')];
      await expect(house.runs.seedOnce(house.grant, AGENT, seeds)).rejects.toMatchObject({ code: 'not_found' });
      const seeded = await house.runs.seedOnce(house.grant, AGENT, [fromStore('d')]);
      expect(seeded.map(({ path, source }) => [path, source])).toEqual([
        ['d/1', { path: 'd/1' }],
        ['d/2', { path: 'd/2' }],
      ]);
      expect((await house.runs.list(house.grant, AGENT, { limit: 9, cursor: null })).items).toEqual([]);
      expect(house.staging()).toEqual([]);
    });
  });

  it('runs.start keeps an executable file executable and copies a read-only one writable', async () => {
    await house.store({ 'run.sh': '#!/bin/sh' });
    const home = await house.parts.volumes.home(house.storeRef);
    chmodSync(`${home.hostPath}/run.sh`, 0o555);
    await house.start({ seeds: [fromStore('run.sh')] });
    expect(modeOf('run.sh')).toBe(0o755);
  });
});
