import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Run } from '../../src/core/core.ts';
import type { DataRoot, Home } from '../../src/tree/root.ts';
import { DATABASES } from '../support/databases.ts';
import { AGENT, fromStore, House, Site, wantedRun } from './house.ts';

const SEEDS = [fromStore('d'), fromStore('new'), fromStore('a.txt')];
const STORE = { 'a.txt': 'NEW', 'd/1': 'NEW', 'd/e/2': 'NEW', 'new/deep/3': 'NEW' };

/** A process that stops for good before its n-th step on the workspace's disk. Everything else it asks goes through. */
class Doomed {
  readonly #dieAt: number;
  readonly dead = Promise.withResolvers<'dead'>();
  steps = 0;

  constructor(dieAt: number) {
    this.#dieAt = dieAt;
  }

  disguise(root: DataRoot): DataRoot {
    return {
      ...root,
      open: async (segments) => {
        const home = await root.open(segments);
        return segments[2] === 'agents' ? this.#mortal(home) : home;
      },
    };
  }

  #mortal(home: Home): Home {
    return { ...home, tree: this.#counted(home.tree), staging: this.#counted(home.staging) };
  }

  #counted<T extends object>(disk: T): T {
    return new Proxy(disk, {
      get: (target, name, receiver) => {
        const member: unknown = Reflect.get(target, name, receiver);
        if (typeof member !== 'function') return member;
        return (...args: readonly unknown[]) => {
          this.steps += 1;
          if (this.steps < this.#dieAt) return Reflect.apply(member, target, args);
          this.dead.resolve('dead');
          return closed(args[0]).then(() => new Promise(() => {}));
        };
      },
    });
  }
}

describe.each(DATABASES)('the journal of a copy-in on $name', (kind) => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.open(kind);
  });

  afterAll(() => site.close());

  async function makeHouse(): Promise<House> {
    const house = await House.open(site);
    await house.store(STORE);
    await house.parts.agents.create(house.tenant, { agentId: AGENT });
    writeFileSync(house.made('d/1'), 'old');
    writeFileSync(house.made('a.txt'), 'old', { mode: 0o600 });
    writeFileSync(house.made('mine'), 'mine');
    await house.parts.volumes.recount(house.workspaceRef());
    return house;
  }

  async function startDoomed(house: House, dieAt: number): Promise<Run | 'dead'> {
    const doomed = new Doomed(dieAt);
    const { runs } = house.another(`doomed-${dieAt}`, (root) => doomed.disguise(root));
    const run = runs.start(house.grant, AGENT, wantedRun({ seeds: SEEDS }));
    const outcome = await Promise.race([run, doomed.dead.promise]);
    if (outcome !== 'dead') await runs.close();
    return outcome;
  }

  it('runs.start cut off before any of its steps on disk is rolled back to what was there, and fails', async () => {
    let rolledBack = 0;
    for (let dieAt = 1; ; dieAt += 1) {
      const house = await makeHouse();
      const [before, ledger] = [house.listing(), await house.usage()];
      const outcome = await startDoomed(house, dieAt);
      await house.runs.recover([`doomed-${dieAt}`]);
      const [run] = (await house.runs.list(house.grant, AGENT, { limit: 2, cursor: null })).items;
      if (run?.status === 'running') {
        expect(readFileSync(house.disk('a.txt'), 'utf8')).toBe('NEW');
        expect(await house.seeded(run)).toHaveLength(4);
        await house.finish(run, 'cancelled');
      } else {
        expect({ dieAt, listing: house.listing() }).toEqual({ dieAt, listing: before });
        expect(await house.usage()).toMatchObject({ bytes: ledger.bytes, files: ledger.files });
        if (run !== undefined) expect(run.status).toBe('failed');
        rolledBack += 1;
      }
      if (outcome !== 'dead') break;
    }
    expect(rolledBack).toBeGreaterThan(20);
  });

  it('runs.start works in a workspace whose copy-in was rolled back', async () => {
    const house = await makeHouse();
    // Past the journal and into the placing.
    expect(await startDoomed(house, 30)).toBe('dead');
    await expect(house.start()).rejects.toMatchObject({ code: 'run_live' });
    await house.runs.recover(['doomed-30']);
    const run = await house.start({ seeds: SEEDS });
    expect(run.status).toBe('running');
    expect(await house.outputs(await house.finish(run))).toEqual([]);
  });

  it('a rollback touches only what the copy-in placed', async () => {
    for (let dieAt = 25; ; dieAt += 1) {
      const house = await makeHouse();
      const outcome = await startDoomed(house, dieAt);
      expect(outcome).toBe('dead');
      const isPlaced = readOr(house.disk('new/deep/3')) === 'NEW';
      if (!isPlaced) continue;
      // A process in the mount replaces what was placed, and adds a file to a directory that was made.
      writeFileSync(house.disk('new/deep/tmp'), 'agent');
      renameSync(house.disk('new/deep/tmp'), house.disk('new/deep/3'));
      writeFileSync(house.disk('new/more'), 'agent');
      await house.runs.recover([`doomed-${dieAt}`]);
      expect([readOr(house.disk('new/deep/3')), readOr(house.disk('new/more'))]).toEqual(['agent', 'agent']);
      expect(readOr(house.disk('d/1'))).toBe('old');
      return;
    }
  });
});

/** The system closes a dead process's files; here that is up to us. */
async function closed(argument: unknown): Promise<void> {
  const { close } = (argument ?? {}) as { close?: () => Promise<void> };
  await close?.call(argument);
}

function readOr(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
