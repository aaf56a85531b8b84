import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Run, RunWanted } from '../../src/core/core.ts';
import type { ObjectId } from '../../src/ids.ts';
import { DATABASES } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { AGENT, fromStore, House, Site } from './house.ts';

describe.each(DATABASES)('capture on $name', (kind) => {
  let site: Site;
  let house: House;

  beforeAll(async () => {
    site = await Site.open(kind);
  });

  afterAll(() => site.close());

  beforeEach(async () => {
    house = await House.open(site);
    await house.store({ 'in/a.csv': '1,2', 'in/b.csv': '3,4' });
  });

  const start = (wanted: Partial<RunWanted> = {}) => house.start({ seeds: [fromStore('in')], ...wanted });

  async function finishAfter(run: Run, act: () => void): Promise<readonly string[]> {
    act();
    return house.outputs(await house.finish(run));
  }

  it('runs.finish keeps what was created or changed, with whose it is and where it lay', async () => {
    const run = await start({ userId: 'u1', sessionId: 's1' });
    const outputs = await finishAfter(run, () => {
      writeFileSync(house.made('out/report.txt'), 'done');
      writeFileSync(house.disk('in/a.csv'), '1,2,3');
    });
    expect(outputs).toEqual(['in/a.csv: 1,2,3', 'out/report.txt: done']);
    const { items } = await house.runs.outputs(house.grant, run.id, { limit: 9, cursor: null });
    const whose = { purpose: 'agent_output', agentId: AGENT, sessionId: 's1', runId: run.id, userId: 'u1' };
    expect(items).toEqual(
      expect.arrayContaining([expect.objectContaining({ ...whose, filename: 'report.txt', size: 4 })]),
    );
    expect(await house.skipped(run)).toEqual([]);
  });

  it('runs.outputs are sorted by path, and their pages stay the same while more are captured', async () => {
    const run = await start();
    const pageFrom = (cursor: string | null, limit: number) =>
      house.runs.outputs(house.grant, run.id, { limit, cursor });
    const names = Array.from({ length: 30 }, (_, n) => `out/${String(n).padStart(2, '0')}`);
    for (const name of names.slice(0, 20)) writeFileSync(house.made(name), name);
    await until(async () => (await house.outputs(run)).length === 20, 'the first files are captured live');
    const whole = await pageFrom(null, 100);
    expect(whole.items.map(({ path }) => path)).toEqual(names.slice(0, 20));

    const first = await pageFrom(null, 9);
    for (const name of names.slice(20)) writeFileSync(house.made(name), name);
    await house.objects.remove(house.grant, first.items[0]?.id as ObjectId);
    await house.finish(run);
    const met = first.items.map(({ path }) => path);
    for (let { next } = first; next !== null; ) {
      const page = await pageFrom(next, 9);
      met.push(...page.items.map(({ path }) => path));
      next = page.next;
    }
    expect(new Set(met).size).toBe(met.length);
    expect(met).toEqual(expect.arrayContaining(names.slice(0, 20)));
    const other = { ...house.grant, user: 'another' };
    expect(await house.runs.outputs(other, run.id, { limit: 9, cursor: null })).toEqual({ items: [], next: null });
  });

  it('runs.finish takes a touch for no change, and new bytes under the old size and time for one', async () => {
    const run = await start();
    const outputs = await finishAfter(run, () => {
      utimesSync(house.disk('in/a.csv'), new Date(0), new Date(0));
      const { atime, mtime } = statSync(house.disk('in/b.csv'));
      writeFileSync(house.disk('in/b.csv'), '5,6');
      utimesSync(house.disk('in/b.csv'), atime, mtime);
    });
    expect(outputs).toEqual(['in/b.csv: 5,6']);
  });

  it('runs.finish takes a renamed file for a new one and a deleted one for none', async () => {
    const run = await start();
    const outputs = await finishAfter(run, () => {
      renameSync(house.disk('in/a.csv'), house.disk('moved.csv'));
      rmSync(house.disk('in/b.csv'));
    });
    expect(outputs).toEqual(['moved.csv: 1,2']);
  });

  it('runs.finish takes a file for new that was gone when the run began, also with its old content', async () => {
    await house.finish(await start());
    rmSync(house.disk('in'), { recursive: true });
    const run = await house.start();
    const outputs = await finishAfter(run, () => writeFileSync(house.made('in/a.csv'), '1,2'));
    expect(outputs).toEqual(['in/a.csv: 1,2']);
  });

  it('runs.finish leaves out hidden files and what the rules exclude, and takes names that are not UTF-8', async () => {
    const run = await start({ capture: { enabled: true, include: ['out/', '*.txt'], exclude: null } });
    const odd = Buffer.concat([Buffer.from(`${house.made('out/x')}`), Buffer.of(0xff)]);
    const outputs = await finishAfter(run, () => {
      for (const path of ['.env', 'a.txt', 'a.bin', 'out/.git/x', 'out/node_modules/y', 'out/z']) {
        writeFileSync(house.made(path), path);
      }
      writeFileSync(odd, 'odd');
    });
    expect(outputs).toEqual(['a.txt: a.txt', 'out/x\udcff: odd', 'out/z: out/z']);
  });

  it('runs.finish captures nothing with capture off', async () => {
    const run = await start({ capture: { enabled: false, include: [], exclude: null } });
    expect(await finishAfter(run, () => writeFileSync(house.disk('new'), 'x'))).toEqual([]);
  });

  it('runs.start refuses capture rules that are no globs', async () => {
    const capture = { enabled: true, include: ['a/../b'], exclude: null };
    await expect(start({ capture })).rejects.toMatchObject({ code: 'invalid_path' });
  });

  it('runs.finish lists special files, links and what is over quota as skipped, and succeeds', async () => {
    const run = await start();
    // Room for the small one beside what store and workspace hold.
    await house.limit({ quotaBytes: 2_000 });
    symlinkSync('/etc/passwd', house.disk('link'));
    execFileSync('mkfifo', [house.disk('pipe')]);
    writeFileSync(house.disk('big'), 'x'.repeat(5_000));
    writeFileSync(house.disk('small'), 'x');
    const ended = await house.finish(run);
    expect(ended.status).toBe('completed');
    expect(await house.outputs(run)).toEqual(['small: x']);
    expect(await house.skipped(run)).toEqual(['big: over quota', 'link: symbolic link', 'pipe: special file']);
  });

  it('runs.finish reads nothing outside the workspace, whatever links an agent swaps in', async () => {
    const run = await start();
    const outside = house.made('../../outside/secret.txt');
    writeFileSync(outside, 'SECRET');
    writeFileSync(house.made('out/secret.txt'), 'mine');
    await until(async () => (await house.outputs(run)).length === 1, 'the file is captured live');
    rmSync(house.disk('out'), { recursive: true });
    symlinkSync(dirname(outside), house.disk('out'));
    // A reader without the guard walks right through.
    expect(readFileSync(house.disk('out/secret.txt'), 'utf8')).toBe('SECRET');
    await house.finish(run);
    expect(await house.outputs(run)).toEqual([]);
    expect(await house.skipped(run)).toEqual(['out: symbolic link']);
  });

  it('runs.finish keeps each output once, also after a finish that was cut off', async () => {
    const run = await start();
    writeFileSync(house.disk('new'), 'x');
    const { parts } = house;
    const meta = { purpose: 'agent_output', userId: null, agentId: AGENT, sessionId: null } as const;
    const volume = await parts.volumes.open(house.grant, house.workspaceRef(), 'read');
    // What a crash between making the object and recording it leaves, and one of a file that is not there.
    for (const path of ['new', 'gone']) {
      const file = await volume.open('new' as never);
      await parts.objects.keepCopy(house.tenant, file, { ...meta, filename: path, runId: run.id, path: path as never });
    }
    await house.finish(run);
    expect(await house.outputs(run)).toEqual(['new: x']);
  });

  it('live capture follows a direct writer: created, changed, deleted', async () => {
    const run = await start();
    const outputs = () => house.outputs(run);
    writeFileSync(house.disk('new'), 'one');
    await until(async () => (await outputs()).includes('new: one'), 'the new file is captured');
    const id = await idOf(run, 'new');
    appendFileSync(house.disk('new'), ' two');
    await until(async () => (await outputs()).includes('new: one two'), 'the change is captured');
    expect(await idOf(run, 'new')).toBe(id);
    rmSync(house.disk('new'));
    await until(async () => (await outputs()).length === 0, 'the deleted file is dropped');
    writeFileSync(house.made('sub/last'), 'last');
    await until(async () => (await outputs()).includes('sub/last: last'), 'a file in a new directory is captured');
    rmSync(house.disk('sub'), { recursive: true });
    expect(await finishAfter(run, () => writeFileSync(house.disk('end'), 'end'))).toEqual(['end: end']);
  });

  async function idOf(run: Run, path: string): Promise<ObjectId | undefined> {
    const { items } = await house.runs.outputs(house.grant, run.id, { limit: 99, cursor: null });
    return items.find((object) => object.path === path)?.id;
  }

  it('runs.finish waits for no writer: a file that never holds still is skipped or kept whole', async () => {
    const run = await start();
    const size = 4_000_000;
    writeFileSync(house.disk('busy'), Buffer.alloc(size, 'a'));
    const writer = `const fs = require('fs'); const fd = fs.openSync(process.argv[1], 'r+');
      for (let n = 0; ; n++) fs.writeSync(fd, Buffer.alloc(4096, 97 + (n % 26)), 0, 4096, (n % 900) * 4096);`;
    const child = spawn(process.execPath, ['-e', writer, house.disk('busy')]);
    try {
      const ended = await house.finish(run);
      expect(ended.status).toBe('completed');
      const [outputs, skipped] = [await house.outputs(run), await house.skipped(run)];
      expect(outputs.length + skipped.length).toBeGreaterThan(0);
      if (skipped.length > 0) expect(skipped[0]).toMatch(/^busy: still changing/);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('an unchanged workspace is not read again at the next start', async () => {
    await house.finish(await start());
    const before = await house.db
      .selectFrom('manifest')
      .select(['path', 'version'])
      .where('tenant', '=', house.tenant)
      .execute();
    const run = await house.start();
    const now = await house.db
      .selectFrom('manifest')
      .select(['path', 'version'])
      .where('tenant', '=', house.tenant)
      .execute();
    expect(now).toEqual(before);
    expect(await house.outputs(await house.finish(run))).toEqual([]);
  });
});
