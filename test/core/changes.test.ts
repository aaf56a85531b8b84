import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Change, ChangesPage } from '../../src/core/core.ts';
import { openNews } from '../../src/core/feeds/news.ts';
import { appendResync } from '../../src/db/changes.ts';
import { registerInstance } from '../../src/db/instances.ts';
import { reserve } from '../../src/db/usage.ts';
import { beginWatch } from '../../src/db/watches.ts';
import { FsError } from '../../src/errors.ts';
import type { DataRoot } from '../../src/tree/root.ts';
import {
  A1,
  ACME,
  at,
  type CoreWishes,
  coreSite,
  grantOf,
  type OneCore,
  openVolume,
  put,
  STORE,
  singleCore,
  WORKSPACE,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { fromStore, House, Site, wantedRun } from './house.ts';

const STORE_ACCOUNT = { tenant: ACME, part: 'store' };
const HOUR_MS = 3_600_000;

const since = (one: OneCore, id: string | null, ref = STORE) => one.core.changes.since(grantOf(), ref, id, 1000);
const begin = async (one: OneCore, ref = STORE) => (await since(one, null, ref)).next;
const lines = ({ changes }: Pick<ChangesPage, 'changes'>) => changes.map(({ type, path }) => `${type} ${path}`);
const rowsOf = (one: OneCore) => one.db.selectFrom('changes').select(['seq', 'type', 'path']).orderBy('seq').execute();

/** Listens until the scope ends. */
async function following(one: OneCore, from: string | null = null, ref = STORE) {
  const abort = new AbortController();
  const heard: Change[] = [];
  const pages = await one.core.changes.follow(grantOf(), ref, from, abort.signal);
  const state = { isOver: false };
  const work = (async () => {
    for await (const { changes } of pages) heard.push(...changes);
    state.isOver = true;
  })();
  return {
    heard,
    isOver: () => state.isOver,
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await work;
    },
  };
}

/** A process that was registered and is gone. */
async function dead({ db }: OneCore): Promise<string> {
  const id = randomUUID();
  await registerInstance(db, { id, host: 'another', pid: 1, process_start: '1', started_at: 0, lease_until: 0 });
  return id;
}

describe.each(DATABASES)('changes on $name', (kind) => {
  it('are not recorded where nobody asked, and are from the first question on', async () => {
    await using one = await singleCore(kind);
    const volume = await openVolume(one);
    await put(volume, 'before', '1');
    const id = await begin(one);
    await put(volume, 'after', '1');
    expect(lines(await since(one, id))).toEqual(['created after']);
    expect((await rowsOf(one)).map(({ path }) => path)).toEqual(['', 'after']);
  });

  it('of many writers in two processes have one order without gaps, and nobody hears of one too early', async () => {
    await using site = await coreSite(kind);
    const cores = [await site.open({ severalProcesses: true }), await site.open({ severalProcesses: true })] as const;
    await cores[0].core.tenants.admit(ACME);
    const volumes = [await openVolume(cores[0]), await openVolume(cores[1])] as const;
    await using listener = await following(cores[0]);
    const early: string[] = [];
    const seen = new Set<string>();
    let heard = 0;
    const watching = until(async () => {
      for (const { path } of listener.heard.slice(heard)) {
        heard += 1;
        seen.add(path);
        if ((await volumes[0].find(path)) === null) early.push(path);
      }
      return seen.size === 80;
    }, 'all are told');
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; n < 10; n++) await put(writer % 2 === 0 ? volumes[0] : volumes[1], `w${writer}-${n}`, 'x');
    });
    await Promise.all([...writers, watching]);
    expect(early).toEqual([]);
    const numbers = listener.heard.map(({ id }) => Number(id.split('-')[1]));
    expect(numbers).toEqual(numbers.map((_, n) => (numbers[0] ?? 0) + n));
    // A process may see on the disk what another is about to tell: then it is told twice.
    const told = listener.heard.filter(({ origin }) => origin === 'api');
    for (let writer = 0; writer < 8; writer++) {
      const own = told.filter(({ path }) => path.startsWith(`w${writer}-`)).map(({ path }) => path);
      expect(own).toEqual(Array.from({ length: 10 }, (_, n) => `w${writer}-${n}`));
    }
  });

  it('of one commit are told together, and come in pages', async () => {
    await using one = await singleCore(kind);
    const id = await begin(one);
    const intake = (await openVolume(one)).intake();
    const placements = [];
    for (const name of ['a', 'd/b', 'd/c']) {
      const staged = await intake.receive(Readable.from([Buffer.from('x')]), { maxBytes: 10 });
      placements.push({ path: at(name), staged, mode: 'create' as const });
    }
    await intake.commit(placements);
    expect(lines(await since(one, id))).toEqual(['created d', 'created a', 'created d/b', 'created d/c']);
    const page = await one.core.changes.since(grantOf(), STORE, id, 3);
    expect(lines(page)).toHaveLength(3);
    expect(lines(await since(one, page.next))).toEqual(['created d/c']);
  });

  it('of more than ten thousand at once are told as resync', async () => {
    await using one = await singleCore(kind);
    const id = await begin(one);
    const news = openNews({ db: one.db, clock: () => new Date() });
    const told = { type: 'created' as const, path: at('f'), isDirectory: false, entry: null };
    await news.record(one.db, STORE_ACCOUNT, Array(10_001).fill(told), 'api');
    expect(lines(await since(one, id))).toEqual(['resync ']);
  });

  it('are forgotten after the retention: an id from before is answered with resync', async () => {
    let now = new Date('2026-01-15T10:00:00Z');
    await using one = await singleCore(kind, { clock: () => now });
    const id = await begin(one);
    const volume = await openVolume(one);
    await put(volume, 'old', 'x');
    now = new Date(now.getTime() + 20 * HOUR_MS);
    const between = await since(one, id);
    await put(volume, 'new', 'x');
    now = new Date(now.getTime() + 5 * HOUR_MS);
    await one.core.sweep();
    const { changes } = await since(one, between.next);
    // What is seen on the disk once its row has gone is told again.
    expect(lines({ changes: changes.filter(({ origin }) => origin === 'api') })).toEqual(['created new']);
    expect(await since(one, id)).toMatchObject({ resync: true, changes: [{ type: 'resync' }] });
  });

  it('are not recorded any more once nobody has asked for as long as they are kept', async () => {
    let now = new Date('2026-01-15T10:00:00Z');
    await using one = await singleCore(kind, { clock: () => now });
    const id = await begin(one);
    now = new Date(now.getTime() + 25 * HOUR_MS);
    await one.core.sweep();
    await put(await openVolume(one), 'f', 'x');
    expect(await rowsOf(one)).toEqual([]);
    expect(await since(one, id)).toMatchObject({ resync: true });
  });

  it('of a feed that grows without end keep its last hundred thousand', async () => {
    await using one = await singleCore(kind);
    const id = await begin(one);
    await put(await openVolume(one), 'f', 'x');
    await one.db.updateTable('feeds').set({ next: 150_999 }).execute();
    await appendResync(one.db, STORE_ACCOUNT, Date.now());
    await appendResync(one.db, STORE_ACCOUNT, Date.now());
    expect((await rowsOf(one)).map(({ seq }) => seq)).toEqual([150_999, 151_000]);
    expect(await since(one, id)).toMatchObject({ resync: true, next: id.replace(/\d+$/, '151000') });
  });

  it('that a dead process may not have told are told as resync when it is buried', async () => {
    await using one = await singleCore(kind);
    const id = await begin(one);
    await reserve(one.db, { instance: await dead(one), ...STORE_ACCOUNT, bytes: 1, files: 1 });
    await one.core.sweep();
    expect(lines(await since(one, id))).toEqual(['resync ']);
  });

  it('that a dead process would have seen on the disk are told as resync when it is buried', async () => {
    await using one = await singleCore(kind);
    const id = await begin(one);
    await beginWatch(one.db, { instance: await dead(one), ...STORE_ACCOUNT }, 0);
    await one.core.sweep();
    expect(lines(await since(one, id))).toEqual(['resync ']);
  });

  it('end with the volume', async () => {
    await using one = await singleCore(kind);
    await one.core.agents.create(ACME, { agentId: A1 });
    await using listener = await following(one, null, WORKSPACE);
    await one.core.agents.remove(ACME, A1, { force: false });
    await until(() => listener.isOver(), 'the listening ends');
    expect(await rowsOf(one)).toEqual([]);
  });
});

describe.each(DATABASES)('changes of what other processes do, on $name', (kind) => {
  const diskOf = (path: string) => join(path, 'tenants', ACME, 'agents', A1, 'tree');

  async function watched(wishes: CoreWishes = {}) {
    const site = await coreSite(kind);
    const one = await site.open(wishes);
    await one.core.tenants.admit(ACME);
    await one.core.agents.create(ACME, { agentId: A1 });
    return { site, one, disk: diskOf(site.path), [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() };
  }

  it('are told by two processes that both watch, as what two listeners hear', async () => {
    await using world = await watched({ severalProcesses: true });
    const other = await world.site.open({ severalProcesses: true });
    await using one = await following(world.one, null, WORKSPACE);
    await using two = await following(other, null, WORKSPACE);
    writeFileSync(join(world.disk, 'f'), 'x');
    await put(await openVolume(other, WORKSPACE), 'g', 'x');
    const hasAll = ({ heard }: typeof one) =>
      heard.some(({ path }) => path === 'f') && heard.some(({ path, origin }) => path === 'g' && origin === 'api');
    for (const listener of [one, two]) await until(() => hasAll(listener));
    expect(new Set(lines({ changes: one.heard }))).toEqual(new Set(['created f', 'created g']));
  });

  it('may be missed while no process watches: who comes back is told resync', async () => {
    await using world = await watched();
    const id = await begin(world.one, WORKSPACE);
    await put(await openVolume(world.one, WORKSPACE), 'told', 'x');
    await world.one.close();
    writeFileSync(join(world.disk, 'untold'), 'x');
    const next = await world.site.open();
    expect(lines(await since(next, id, WORKSPACE))).toEqual(['created told', 'resync ']);
  });

  it('are told by a process whose watch goes on while another stops, and need no resync', async () => {
    await using world = await watched({ severalProcesses: true });
    const other = await world.site.open({ severalProcesses: true });
    const id = await begin(world.one, WORKSPACE);
    await begin(other, WORKSPACE);
    await world.one.close();
    writeFileSync(join(world.disk, 'f'), 'x');
    await until(async () => (await since(other, id, WORKSPACE)).changes.length > 0);
    expect(lines(await since(other, id, WORKSPACE))).toEqual(['created f']);
  });

  it('are given up in a tree with too many directories, and resync says so', async () => {
    await using world = await watched({ limits: { watchMaxDirs: 3 } });
    await using listener = await following(world.one, null, WORKSPACE);
    mkdirSync(join(world.disk, 'a/b/c/d/e'), { recursive: true });
    await until(() => listener.heard.some(({ type }) => type === 'resync'), 'resync is told');
    const { next } = await since(world.one, null, WORKSPACE);
    await put(await openVolume(world.one, WORKSPACE), 'f', 'x');
    expect(lines(await since(world.one, next, WORKSPACE))).toEqual(['created f']);
  });
});

describe('changes of a copy-in that is rolled back', () => {
  it('are followed by a resync', async () => {
    const [kind] = DATABASES;
    if (kind === undefined) throw new Error('there is a database');
    const site = await Site.open(kind);
    const house = await House.open(site);
    await house.store({ 'in/1': 'x', 'in/2': 'x' });
    await house.parts.agents.create(house.tenant, { agentId: A1 });
    const of = { tenant: house.tenant, part: 'workspace/a1' };
    await house.db
      .insertInto('feeds')
      .values({ ...of, epoch: 'e', next: 1, asked_at: 0 })
      .execute();
    const { runs } = house.another('unlucky', withoutRoomFor('in/2'));
    await expect(runs.start(house.grant, A1, wantedRun({ seeds: [fromStore('in')] }))).rejects.toThrow(
      'the disk is full',
    );
    const rows = await house.db
      .selectFrom('changes')
      .select(['type', 'path'])
      .where('tenant', '=', of.tenant)
      .execute();
    expect(rows.map(({ type, path }) => `${type} ${path}`)).toEqual(['created in', 'created in/1', 'resync ']);
    await runs.close();
    await site.close();
  });
});

/** A disk that is full when this path is to be placed. */
function withoutRoomFor(path: string): (root: DataRoot) => DataRoot {
  return (root) => ({
    ...root,
    open: async (segments) => {
      const home = await root.open(segments);
      const tree = Object.create(home.tree) as typeof home.tree;
      tree.place = async (to, ...rest) => {
        if (to === path && segments[2] === 'agents') throw new FsError('quota_exceeded', 'the disk is full');
        return home.tree.place(to, ...rest);
      };
      return { ...home, tree };
    },
  });
}
