import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { watchTree } from '../../src/tree/watch.ts';
import { temporaryHome } from '../support/tree.ts';
import { until } from '../support/wait.ts';
import { watched } from '../support/watched.ts';

describe('watchTree', () => {
  it('tells what is made, changed, moved and deleted, and nothing of what was there', async () => {
    using home = await temporaryHome(['a/f: 1', 'g: 1']);
    const { last, watcher } = await watched(home);
    appendFileSync(home.at('a/f'), '2');
    mkdirSync(home.at('n/m'), { recursive: true });
    writeFileSync(home.at('n/m/backup~'), 'x');
    symlinkSync('/etc', home.at('l'));
    await until(() => Object.keys(last()).length === 5);
    expect(last()).toEqual({ 'a/f': 'file', n: 'directory', 'n/m': 'directory', 'n/m/backup~': 'file', l: 'symlink' });
    renameSync(home.at('n'), home.at('o'));
    rmSync(home.at('g'));
    await until(() => last().g === 'gone' && last()['n/m/backup~'] === 'gone' && last()['o/m/backup~'] === 'file');
    expect(last()).toMatchObject({ n: 'gone', 'n/m': 'gone', o: 'directory', 'o/m': 'directory' });
    await watcher.close();
  });

  it('tells of each change what was there before', async () => {
    using home = await temporaryHome(['d/', 'f: 1']);
    const { told, watcher } = await watched(home);
    appendFileSync(home.at('f'), '2');
    writeFileSync(home.at('n'), 'x');
    rmSync(home.at('d'), { recursive: true });
    await until(() => new Set(told.map(({ path }) => path)).size === 3);
    const first = Object.fromEntries(told.toReversed().map(({ path, before }) => [path, before]));
    expect(first).toEqual({ f: 'other', n: null, d: 'directory' });
    await watcher.close();
  });

  it('tells several changes of one file in a moment as one', async () => {
    using home = await temporaryHome(['f: 1']);
    const { told, watcher } = await watched(home);
    for (let round = 0; round < 50; round++) appendFileSync(home.at('f'), 'x');
    await until(() => told.some(({ entry }) => entry?.size === 51));
    expect(told.length).toBeLessThan(10);
    await watcher.close();
  });

  it('tells of names that are not UTF-8', async () => {
    using home = await temporaryHome();
    const { last, watcher } = await watched(home);
    const odd = Buffer.concat([Buffer.from(home.at('odd')), Buffer.of(0xff)]);
    writeFileSync(odd, 'x');
    await until(() => last()['odd\udcff'] === 'file');
    rmSync(odd);
    await until(() => last()['odd\udcff'] === 'gone');
    await watcher.close();
  });

  it('gives up where there are too many directories, at once or later, and says so once', async () => {
    using home = await temporaryHome(['a/b/c/']);
    const early = await watched(home, 2);
    expect(early.overflows()).toBe(1);
    await early.watcher.close();
    const late = await watched(home, 4);
    for (const name of ['d', 'e', 'f']) mkdirSync(home.at(name));
    await until(() => late.overflows() === 1);
    writeFileSync(home.at('after'), 'x');
    await late.watcher.close();
    expect(late.overflows()).toBe(1);
    expect(late.last()).not.toHaveProperty('after');
  });

  it('counts a listener that fails as overflow', async () => {
    using home = await temporaryHome();
    let overflows = 0;
    const watcher = await watchTree(home, {
      maxDirs: 10,
      onChange: () => Promise.reject(new Error('the listener failed')),
      onGap: () => undefined,
      onOverflow: () => void overflows++,
    });
    writeFileSync(home.at('f'), 'x');
    await until(() => overflows === 1);
    await watcher.close();
  });

  it('is silent after it was closed', async () => {
    using home = await temporaryHome();
    const { told, watcher } = await watched(home);
    writeFileSync(home.at('f'), 'x');
    await watcher.close();
    const before = told.length;
    writeFileSync(home.at('g'), 'x');
    const other = await watched(home);
    writeFileSync(home.at('h'), 'x');
    await until(() => other.last().h === 'file');
    await other.watcher.close();
    expect(told.length).toBe(before);
  });

  it('ends the first look when it is told to', async () => {
    using home = await temporaryHome(['a/b/f: 1']);
    const stop = new AbortController();
    const opening = watched(home, 100, stop.signal);
    stop.abort();
    const { overflows, watcher } = await opening;
    expect(watcher.directories).toBe(0);
    const late = await watched(home, 100, stop.signal);
    expect(late.watcher.directories).toBe(0);
    expect(overflows() + late.overflows()).toBe(0);
  });
});
