import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { temporaryHome } from '../support/tree.ts';
import { until } from '../support/wait.ts';
import { watched } from '../support/watched.ts';

const FILES = 10_000;
const DIRECTORIES = 500;
const PATIENCE_MS = 40_000;

describe('watchTree under many changes', () => {
  it('tells every one of 10 000 files made in one directory and in many, or a gap, and goes on', async () => {
    using home = await temporaryHome(Array.from({ length: DIRECTORIES }, (_, index) => `d${index}/`));
    const { told, last, gaps, overflows, watcher } = await watched(home, 4 * DIRECTORIES);
    const names = Array.from(
      { length: FILES },
      (_, index) => `d${index % 2 === 0 ? 0 : index % DIRECTORIES}/f${index}`,
    );
    for (const name of names) writeFileSync(home.at(name), 'x');
    const areAllTold = () => told.length >= FILES && new Set(told.map(({ path }) => path)).size === FILES;
    await until(() => gaps() > 0 || areAllTold(), 'all told', PATIENCE_MS);
    // What a gap hid is known all the same.
    const ends = [`${names[0]}`, `${names[FILES - 1]}`];
    for (const name of ends) rmSync(home.at(name));
    await until(() => ends.every((name) => last()[name] === 'gone'), 'the last of both told', PATIENCE_MS);
    expect(overflows()).toBe(0);
    await watcher.close();
  }, 100_000);

  it('tells all trees of a gap where the kernel may have dropped changes, and has what was made meanwhile in view', async () => {
    using home = await temporaryHome(['f: 1', 'g: 1']);
    using other = await temporaryHome();
    const [busy, quiet] = [await watched(home), await watched(other)];
    mkdirSync(other.at('d'));
    for (let round = 0; round < 50_000; round++) for (const name of ['f', 'g']) utimesSync(home.at(name), round, round);
    await until(() => busy.gaps() > 0 && quiet.gaps() > 0, 'a gap', PATIENCE_MS);
    writeFileSync(other.at('d/f'), 'x');
    await until(() => quiet.last()['d/f'] === 'file');
    expect(busy.overflows() + quiet.overflows()).toBe(0);
    await Promise.all([busy.watcher.close(), quiet.watcher.close()]);
  }, 100_000);
});
