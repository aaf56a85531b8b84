import { type Locks, openLocks } from '../../src/core/locks.ts';
import { openDatabase } from '../../src/db/drivers.ts';
import { releaseLocksOf } from '../../src/db/locks.ts';
import { at, failure } from '../support/core.ts';
import { DATABASES, type DatabaseKind } from '../support/databases.ts';

interface Fleet {
  readonly locks: readonly Locks[];
  /** Frees what a process holds, as others do that take it for dead. */
  bury(process: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** So many processes over one database; a single one keeps its locks to itself. */
async function fleet(kind: DatabaseKind, processes: number): Promise<Fleet> {
  const database = await kind.create();
  const { db, close } = await openDatabase(database.url, { durability: 'none' });
  const clock = () => new Date();
  const severalProcesses = processes > 1;
  return {
    locks: Array.from({ length: processes }, (_, n) => openLocks({ db, instance: `p${n}`, clock, severalProcesses })),
    bury: (process) => releaseLocksOf(db, `p${process}`),
    async [Symbol.asyncDispose]() {
      await close();
      await database.drop();
    },
  };
}

/** A lock that was taken and is held until it is told to end. */
async function held(take: (use: () => Promise<void>) => Promise<void>): Promise<() => Promise<void>> {
  const [taken, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const done = take(async () => {
    taken.resolve();
    await ended.promise;
  });
  await taken.promise;
  return () => {
    ended.resolve();
    return done;
  };
}

const paths = (...names: string[]) => names.map(at);

for (const kind of DATABASES) {
  for (const processes of [1, 2]) {
    describe(`locks of ${processes} process(es) on ${kind.name}`, () => {
      it('let one holder of a path run at a time', async () => {
        await using site = await fleet(kind, processes);
        let [inside, most] = [0, 0];
        const use = async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
        };
        await Promise.all(
          Array.from({ length: 20 }, (_, n) => site.locks[n % processes]?.withPathLock('v', paths('a/b'), use)),
        );
        expect(most).toBe(1);
      });

      it('tell when those who hold a path now have let go, and keep nobody waiting', async () => {
        await using site = await fleet(kind, processes);
        const [locks] = site.locks;
        if (locks === undefined) throw new Error('there is a process');
        const end = await held((use) => locks.withPathLock('v', paths('a/b'), use));
        let isReleased = false;
        const released = locks.released('v', paths('a/b', 'c')).then(() => {
          isReleased = true;
        });
        // Neither another path nor another volume waits, and neither does who takes a path that is only asked about.
        await locks.released('v', paths('c'));
        await locks.released('w', paths('a/b'));
        await locks.withPathLock('v', paths('c'), async () => undefined);
        expect(isReleased).toBe(false);
        await end();
        await released;
      });

      it('never wait for each other, in whichever order sets of paths are named', async () => {
        await using site = await fleet(kind, processes);
        const orders = [paths('a', 'b', 'c'), paths('c', 'b', 'a'), paths('b', 'c'), paths('c', 'a')];
        const holders = Array.from({ length: 24 }, (_, n) =>
          site.locks[n % processes]?.withPathLock('v', orders[n % orders.length] ?? [], async () => n),
        );
        expect(await Promise.all(holders)).toHaveLength(24);
      });

      it('of a directory hold everything below and above it back, and nothing beside it', async () => {
        await using site = await fleet(kind, 1);
        const [locks] = site.locks;
        if (locks === undefined) throw new Error('there is one');
        const order: string[] = [];
        const end = await held((use) => locks.withTreeLock('v', paths('d'), use));
        const waiting = [
          locks.withPathLock('v', paths('d/x/y'), async () => void order.push('below')),
          locks.withTreeLock('v', paths(''), async () => void order.push('above')),
        ];
        await locks.withPathLock('other', paths('d/x'), async () => void order.push('another volume'));
        order.push('freed');
        await end();
        await Promise.all(waiting);
        expect(order).toEqual(['another volume', 'freed', 'below', 'above']);
        const beside = await held((use) => locks.withTreeLock('v', paths('d'), use));
        await locks.withPathLock('v', paths('de', 'e/d'), async () => void order.push('beside'));
        await beside();
        expect(order.at(-1)).toBe('beside');
      });

      it('are free again after a holder failed', async () => {
        await using site = await fleet(kind, processes);
        for (const locks of site.locks) {
          const failing = locks.withPathLock('v', paths('a'), () => Promise.reject(new Error('of its own')));
          expect(await failure(failing)).toMatchObject({ message: 'of its own' });
        }
        expect(await site.locks[0]?.withTreeLock('v', paths(''), async () => 'free')).toBe('free');
      });
    });
  }

  describe(`leases on ${kind.name}`, () => {
    it('tell a holder that lost its lock to another process', async () => {
      await using site = await fleet(kind, 2);
      const [mine, others] = site.locks;
      const outcome = await mine?.withPathLock('v', paths('a'), async (guard) => {
        await guard.check();
        await site.bury(0);
        await others?.withPathLock('v', paths('a'), async () => undefined);
        return failure(guard.check());
      });
      expect(outcome).toMatchObject({ code: 'unavailable' });
    });

    it('of a whole volume hold every path of it back in other processes', async () => {
      await using site = await fleet(kind, 2);
      const [mine, others] = site.locks;
      if (mine === undefined || others === undefined) throw new Error('there are two');
      const order: string[] = [];
      const end = await held((use) => mine.withTreeLock('v', paths(''), use));
      const waiting = ['a', 'b/c', 'd'].map((path) =>
        others.withPathLock('v', paths(path), async () => void order.push('other')),
      );
      await others.withPathLock('w', paths('a'), async () => void order.push('another volume'));
      order.push('freed');
      await end();
      await Promise.all(waiting);
      expect(order).toEqual(['another volume', 'freed', 'other', 'other', 'other']);
    });
  });
}
