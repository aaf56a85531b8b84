import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { FsError } from '../../src/errors.ts';
import { parsePath as p } from '../../src/tree/path.ts';
import { expectStuck } from '../support/stuck.ts';
import { until } from '../support/wait.ts';
import { searchHouse, searchSite } from './search-site.ts';

const GIBIBYTE = 1024 ** 3;
const HOSTILE = `${'a'.repeat(60)}!`;

const filled = (count: number) => Array.from({ length: count }, (_, n) => `dir-${n % 20}/file-${n}.txt: NEEDLE`);

describe('a search is bounded', () => {
  it('in its results, and says so only when there are more', async () => {
    await using site = await searchSite(filled(200));
    const exact = await site.find({ text: 'NEEDLE', maxResults: 200 });
    expect([exact.results.length, exact.truncated]).toEqual([200, false]);
    const fewer = await site.find({ text: 'NEEDLE', maxResults: 199 });
    expect([fewer.results.length, fewer.truncated]).toEqual([199, true]);
  });

  it('in entries, bytes, characters of the answer and lines of a file', async () => {
    for (const [limits, most] of [
      [{ entries: 100 }, 100],
      [{ bytes: 50 * 1024 }, 50],
      [{ characters: 4000 }, 30],
    ] as const) {
      await using site = await searchSite(filled(200), limits);
      const { results, truncated } = await site.find({ text: 'NEEDLE', maxResults: 1000 });
      expect(truncated).toBe(true);
      expect(results.length).toBeGreaterThan(10);
      expect(results.length).toBeLessThanOrEqual(most);
    }
    await using site = await searchSite([`many: ${'NEEDLE\n'.repeat(20)}`, 'few: NEEDLE'], { lines: 10 });
    const { results, truncated } = await site.find({ text: 'NEEDLE' });
    expect([results.map(({ lines }) => lines?.length), truncated]).toEqual([[1, 10], true]);
  });

  it('in time, also within one file that never ends', async () => {
    await using site = await searchSite(['hole: text\n'], { timeMs: 200, bytes: 2 ** 40 });
    truncateSync(site.home.at('hole'), 1000 * GIBIBYTE);
    writeFileSync(site.home.at('text'), 'NEEDLE');
    // The first look at what a hole begins with is text; what follows are lines without an end.
    writeFileSync(site.home.at('hole'), 'text\n'.repeat(2000), { flag: 'r+' });
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 1);
    for (const query of [{ text: 'NEEDLE' }, { text: 'N.*E', regex: true }, { text: 'needle', caseSensitive: false }]) {
      expect(await site.find({ ...query, path: p('hole') })).toEqual({ results: [], truncated: true });
    }
    clearInterval(counting);
    // The event loop had nothing to do with it.
    expect(turns).toBeGreaterThan(15);
  });

  it('by its client, who may go away', async () => {
    await using site = await searchSite(['hole: text\n'], { timeMs: 600_000, bytes: 2 ** 50 });
    writeFileSync(site.home.at('hole'), 'text\n'.repeat(2000));
    truncateSync(site.home.at('hole'), 8000 * GIBIBYTE);
    const client = new AbortController();
    const search = site.find({ text: 'NEEDLE' }, client.signal);
    await until(async () => (await site.find({ text: 'text', maxResults: 1, path: p('hole') })).results.length === 1);
    const before = performance.now();
    client.abort();
    await expect(search).rejects.toMatchObject({ name: 'AbortError' });
    expect(performance.now() - before).toBeLessThan(20_000);
    await expect(site.find({ text: 'x' }, client.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('in the time of a regular expression, where that of the language takes years', async () => {
    await using site = await searchSite([`hostile: ${HOSTILE}\nfine aaa`]);
    await site.find({ text: 'warm', regex: true });
    const before = performance.now();
    const { results } = await site.find({ text: '^(a+)+$', regex: true });
    expect(performance.now() - before).toBeLessThan(10_000);
    expect(results).toEqual([]);
    await expectStuck('^(a+)+$', HOSTILE);
  });

  it('in number: one too many is told to come again', async () => {
    const house = searchHouse();
    using one = await house.site(['a: NEEDLE']);
    using other = await house.site(['a: NEEDLE']);
    using third = await house.site(['a: NEEDLE']);
    const begun = [one, other, third].flatMap((site) =>
      Array.from({ length: 35 }, async () => {
        try {
          return (await site.find({ text: 'NEEDLE' })).results.length;
        } catch (error) {
          return error instanceof FsError ? error.code : error;
        }
      }),
    );
    const all = await Promise.all(begun);
    const ofOneTenant = [...Array(32).fill(1), ...Array(3).fill('rate_limited')];
    expect(all).toEqual([...ofOneTenant, ...ofOneTenant, ...Array(35).fill('unavailable')]);
    expect(await third.paths({ text: 'NEEDLE' })).toEqual(['a']);
    await house.close();
  });
});

describe('a search of a hostile tree', () => {
  const house = searchHouse();
  afterAll(() => house.close());

  it('never waits for a pipe, follows no link, and looks at no device', async () => {
    using site = await house.site(['real: NEEDLE', 'link => real', 'out => ../../../../outside/secret', 'dir => .']);
    writeFileSync(`${site.home.outside}/secret`, 'NEEDLE');
    execFileSync('mkfifo', [site.home.at('pipe')]);
    expect(await site.paths({ text: 'NEEDLE' })).toEqual(['real']);
    const { results } = await site.find({ text: '*', within: 'names' });
    expect(results.map(({ path, kind }) => [path, kind])).toEqual([
      ['dir', 'symlink'],
      ['link', 'symlink'],
      ['out', 'symlink'],
      ['pipe', 'other'],
      ['real', 'file'],
    ]);
    await expect(site.find({ text: 'x', path: p('pipe') })).rejects.toMatchObject({ code: 'special_file' });
    rmSync(site.home.at('pipe'));
  });

  it('reads no .gitignore through a link, and only the beginning of a long one', async () => {
    using site = await house.site(['a: NEEDLE', 'sub/.gitignore => ../rules', 'sub/b: NEEDLE', 'rules: *']);
    expect(await site.paths({ text: 'NEEDLE' })).toEqual(['a', 'sub/b']);
    writeFileSync(site.home.at('.gitignore'), `${'# nothing\n'.repeat(10_000)}a\n`);
    expect(await site.paths({ text: 'NEEDLE' })).toEqual(['a', 'sub/b']);
  });

  it('goes as deep as one path, and says that there is more', async () => {
    using site = await house.site([]);
    const name = 'd'.repeat(250);
    const deep = Array.from({ length: 14 }, () => name).join('/');
    mkdirSync(site.home.at(deep), { recursive: true });
    writeFileSync(site.home.at(`${deep}/file`), 'NEEDLE');
    const found = await site.find({ text: 'NEEDLE' });
    expect([found.results.length, found.truncated]).toEqual([1, false]);
    const script = `cd "${deep}" && for n in 1 2 3 4; do mkdir ${name} && cd ${name} || exit 1; done; echo NEEDLE > file`;
    execFileSync('bash', ['-c', script], { cwd: site.home.hostPath });
    const deeper = await site.find({ text: 'NEEDLE' });
    expect([deeper.results.length, deeper.truncated]).toEqual([1, true]);
    await site.home.tree.remove(p(name), { recursive: true });
  });

  it('finds names that are not UTF-8', async () => {
    using site = await house.site([]);
    writeFileSync(Buffer.concat([Buffer.from(`${site.home.hostPath}/`), Buffer.from([0xff, 0x2e, 0x74])]), 'NEEDLE');
    expect(await site.paths({ text: '?.t', within: 'names' })).toEqual(['\udcff.t']);
    expect(await site.paths({ text: 'NEEDLE' })).toEqual(['\udcff.t']);
  });

  it('skips what vanishes meanwhile', async () => {
    using site = await house.site(filled(2000));
    const search = site.find({ text: 'NEEDLE', maxResults: 5000 });
    for (let n = 0; n < 20; n++) rmSync(site.home.at(`dir-${n}`), { recursive: true });
    const { truncated } = await search;
    expect(truncated).toBe(false);
    expect(await site.paths({ text: 'NEEDLE' })).toEqual([]);
  });

  it('shows the directories of a tree to all its threads, each once', async () => {
    using site = await house.site(
      Array.from({ length: 2000 }, (_, n) => `${n % 7}/${n % 200}/${n}: ${'x\n'.repeat(500)}`),
    );
    const { results, truncated } = await site.find({ text: '{?,??,???,????}', within: 'names', maxResults: 10_000 });
    expect([results.length, truncated]).toEqual([new Set(results.map(({ path }) => path)).size, false]);
    expect(results.filter(({ kind }) => kind === 'file').length).toBe(2000);
    const content = await site.find({ text: 'y', filePattern: '1*', maxResults: 10_000 });
    expect(content).toEqual({ results: [], truncated: false });
  });
});
