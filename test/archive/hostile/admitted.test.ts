import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ArchiveEntry } from '../../../src/archive/format.ts';
import { ArchiveEntries } from '../../../src/core/archives/archive-entries.ts';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { type RawEntry, rawTar, rawZip } from '../../support/raw-archive.ts';
import { linesOf, makeWorld, type World } from '../../support/scenario.ts';

/** What looks like an attack and is none, so that the guards refuse no more than they must. */
const EXTRACT = 'POST /agent/a1/filesystem/archives/extract';

let daemon: TestDaemon;
let world: World;

beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon.close());
beforeEach(async () => {
  world = makeWorld(daemon);
  await world.owner.makesAgent('a1');
});

/** Extracts into `out` and says what is there then. */
async function extracted(archive: Buffer): Promise<readonly string[]> {
  await world.owner.writes('a1', 'x', archive);
  const answer = await world.owner.does(EXTRACT, { json: { archive_path: 'x', destination: 'out' } });
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
  return linesOf(join(world.disk('a1'), 'out'));
}

async function drift(): Promise<unknown> {
  const { as, tenant } = world;
  const answer = await as({ scope: 'admin' }).does(`POST /admin/tenants/${tenant}/rescan?dry_run=true`);
  return (answer.body as { drift: unknown }).drift;
}

const named = (name: string, more: Partial<RawEntry> = {}): RawEntry => ({ name, content: name, ...more });

describe('an archive is extracted', () => {
  it('with the leading ./ of tar, and a root of its own', async () => {
    const entries = [named('./', { kind: 'directory', content: '' }), named('./a'), named('././b')];
    expect(await extracted(rawTar(entries))).toEqual(['a: ./a', 'b: ././b']);
  });

  it('with directories named twice, after their content, or not at all', async () => {
    const d = named('d/', { kind: 'directory', content: '', mode: 0o750 });
    // Room for the archive, `out` and what is in it, each counted once.
    await world.as({ scope: 'admin' }).does(`PUT /admin/tenants/${world.tenant}`, { json: { quota_files: 7 } });
    expect(await extracted(rawZip([named('d/a'), d, d, named('e/f/g')]))).toEqual([
      ...['d/', 'd/a: d/a', 'e/', 'e/f/', 'e/f/g: e/f/g'],
    ]);
    expect(lstatSync(join(world.disk('a1'), 'out/d')).mode & 0o7777).toBe(0o750);
  });

  it('with names that differ in case alone, or look like what is refused', async () => {
    const names = ['A', 'a', '...', '..a', 'ab:c', 'ｆｕｌｌ', 'e\u0301', '\u00e9'];
    expect(await extracted(rawTar(names.map((name) => named(name))))).toEqual(
      names.map((name) => `${name}: ${name}`).sort(),
    );
  });

  it('with hard links, as copies that are charged and changed by themselves', async () => {
    const entries = [
      named('a', { mode: 0o755 }),
      named('b', { kind: 'hardlink', target: './a', content: '', mode: 0o755 }),
    ];
    expect(await extracted(rawTar(entries))).toEqual(['a: a', 'b: a']);
    const [a, b] = ['a', 'b'].map((name) => lstatSync(join(world.disk('a1'), 'out', name)));
    expect([a?.nlink, b?.nlink, (b?.mode ?? 0) & 0o7777]).toEqual([1, 1, 0o755]);
    expect(await drift()).toEqual({ bytes: 0, files: 0 });
  });

  it('with links that stay inside, by way of directories of the archive', async () => {
    const link = (name: string, target: string) => named(name, { kind: 'symlink', target, content: '' });
    const entries = [link('d/e/up', '../../f'), link('d/round', 'e/../../f'), link('self', 'self'), named('f')];
    expect(await extracted(rawTar(entries))).toEqual([
      ...['d/', 'd/e/', 'd/e/up => ../../f', 'd/round => e/../../f', 'f: f', 'self => self'],
    ]);
  });

  it('without setuid, setgid and sticky bits, and with archives in it closed', async () => {
    const inner = gzipSync(rawTar([named('../evil')]));
    const entries = [named('s', { mode: 0o7755 }), named('d/', { kind: 'directory', mode: 0o3777, content: '' })];
    await extracted(rawTar([...entries, { name: 'inner.tgz', content: inner }]));
    const modeOf = (name: string) => lstatSync(join(world.disk('a1'), 'out', name)).mode & 0o7777;
    expect([modeOf('s'), modeOf('d'), lstatSync(join(world.disk('a1'), 'out/inner.tgz')).size]).toEqual([
      ...[0o755, 0o777, inner.length],
    ]);
  });
});

describe('extractions that are refused', () => {
  it('give their turns back', async () => {
    await world.owner.writes('a1', 'evil', rawTar([named('../evil')]));
    const refused = await Promise.all(
      Array.from({ length: 5 }, () =>
        world.owner.does(EXTRACT, { json: { archive_path: 'evil', destination: 'out' } }),
      ),
    );
    expect(refused.map(({ status }) => status)).toEqual(Array(5).fill(400));
    expect(await extracted(rawTar([named('fine')]))).toEqual(['fine: fine']);
  });
});

describe('the entries of one archive', () => {
  const entry = (name: string, more: Partial<ArchiveEntry> = {}): ArchiveEntry => ({
    ...{ name: Buffer.from(name), kind: 'file', size: 0, target: null, mode: null, modifiedAt: null },
    open: () => Promise.reject(new Error('nobody reads it')),
    ...more,
  });

  it('are bounded in number, directories that names imply included', () => {
    const entries = new ArchiveEntries();
    const deep = 'a/'.repeat(100);
    const admit = () => {
      for (let n = 0; n < 3000; n += 1) entries.admit(entry(`${n}/${deep}f`));
    };
    expect(admit).toThrow(/^the archive's entry "24\d\d\/a\/.*…" is more than the 250000 files and directories/);
  });

  it('are bounded in number where they name one directory again and again, or none', () => {
    for (const name of ['./', 'd/']) {
      const entries = new ArchiveEntries();
      const admit = () => {
        for (let n = 0; n <= 250_001; n += 1) entries.admit(entry(name, { kind: 'directory' }));
      };
      expect(admit).toThrow(/is more than the 250000 files and directories/);
    }
  });

  it('are refused where a directory has content, which nobody would count', () => {
    const bomb = entry('d/', { kind: 'directory', size: 1 });
    expect(() => new ArchiveEntries().admit(bomb)).toThrow('is a directory with content; nothing was extracted');
  });

  it('are links that are judged one by one, so that others have a turn between them', () => {
    const entries = new ArchiveEntries();
    for (const [name, target] of [
      ['a', 'b'],
      ['c', '../..'],
    ] as const) {
      entries.admit(entry(name, { kind: 'symlink', target: Buffer.from(target) }));
    }
    const links = entries.links();
    expect(links.next().value).toEqual({ path: 'a', target: 'b' });
    expect(() => links.next()).toThrow('which leaves the destination');
  });

  it('are bounded in the length of all names and targets', () => {
    const entries = new ArchiveEntries();
    const target = Buffer.alloc(4000, 'x');
    const admit = () => {
      for (let n = 0; n < 250_000; n += 1) entries.admit(entry(`${n}`, { kind: 'symlink', target }));
    };
    expect(admit).toThrow(/^the archive's entry "16\d\d\d" comes after more than 67108864 characters/);
  });
});
