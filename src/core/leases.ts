import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import * as rows from '../db/locks.ts';
import type { Database } from '../db/schema.ts';
import { FsError } from '../errors.ts';
import { encodePath, type TreePath } from '../tree/path.ts';

/** What the holder of a path lock can ask. */
export interface PathGuard {
  /**
   * Asks once more, right before something irrevocable, whether the lock is still ours: a process that was stopped for
   * longer than its lease has lost it. @throws unavailable
   */
  check(): Promise<void>;
}

/** Path locks between processes: lease rows in the database. */
export interface Leases {
  /** Holds the leases of these paths, or of the whole volume, for as long as `use` runs. @throws unavailable */
  hold<T>(volume: string, paths: ReadonlySet<TreePath> | null, use: (guard: PathGuard) => Promise<T>): Promise<T>;
}

/**
 * Paths share this many leases per volume, so that a commit of a thousand files takes sixteen and the whole volume is
 * locked by taking all. Two paths of one lease wait for each other, which costs time and nothing else.
 */
const SHARES = 16;
const TTL_MS = 10_000;
const MAX_WAIT_MS = 60_000;
const MAX_PAUSE_MS = 50;

interface Held {
  readonly name: string;
  readonly token: number;
}

export function openLeases(db: Database, instance: string, clock: Clock): Leases {
  const turns = new Map<string, Promise<void>>();

  async function take(name: string, deadline: number): Promise<Held> {
    for (let waitMs = 1; ; waitMs = Math.min(MAX_PAUSE_MS, waitMs * 2)) {
      const token = await rows.acquireLock(db, { name, instance, ttlMs: TTL_MS, now: clock().getTime() });
      if (token !== null) return { name, token };
      if (performance.now() > deadline) throw busy();
      // Spread out, so that the processes that wait do not ask at the same moment again and again.
      await pause(waitMs * (0.5 + Math.random()));
    }
  }

  return {
    async hold(volume, paths, use) {
      const names = leaseNames(volume, paths);
      const endTurns = await takeTurns(turns, names);
      const held: Held[] = [];
      let renewal: NodeJS.Timeout | null = null;
      try {
        const deadline = performance.now() + MAX_WAIT_MS;
        // Always in the order of the names, so that two processes never wait for each other.
        for (const name of names) held.push(await take(name, deadline));
        renewal = setInterval(() => renew(db, clock, held), TTL_MS / 3);
        return await use({ check: () => demandHeld(db, held) });
      } finally {
        if (renewal !== null) clearInterval(renewal);
        await release(db, held);
        endTurns();
      }
    },
  };
}

function leaseNames(volume: string, paths: ReadonlySet<TreePath> | null): readonly string[] {
  const shares = paths === null ? Array.from({ length: SHARES }, (_, n) => n) : [...new Set([...paths].map(shareOf))];
  return shares.sort((one, other) => one - other).map((share) => `${volume}#${share}`);
}

function shareOf(path: TreePath): number {
  return (createHash('sha1').update(encodePath(path)).digest()[0] ?? 0) % SHARES;
}

/** Lets one holder of this process after another at each name; a lease is not for its holder to take again. */
async function takeTurns(turns: Map<string, Promise<void>>, names: readonly string[]): Promise<() => void> {
  const { promise: mine, resolve: end } = Promise.withResolvers<void>();
  const before = names.map((name) => turns.get(name));
  for (const name of names) turns.set(name, mine);
  await Promise.all(before);
  return () => {
    for (const name of names) if (turns.get(name) === mine) turns.delete(name);
    end();
  };
}

async function demandHeld(db: Database, held: readonly Held[]): Promise<void> {
  for (const one of held) if (!(await rows.checkLock(db, one))) throw lost();
}

/** A renewal that fails is found by the next check, or by the lease running out. */
function renew(db: Database, clock: Clock, held: readonly Held[]): void {
  const until = clock().getTime() + TTL_MS;
  for (const one of held) rows.renewLock(db, one, until).catch(() => {});
}

/** A lease that cannot be given back now runs out by itself. */
async function release(db: Database, held: readonly Held[]): Promise<void> {
  for (const one of held) await rows.releaseLock(db, one).catch(() => {});
}

function lost(): FsError {
  return new FsError('unavailable', 'the daemon was held up for too long and gave up this change; try again', {
    retryAfterSeconds: 1,
  });
}

function busy(): FsError {
  return new FsError('unavailable', 'another daemon process is changing this path for too long; try again', {
    retryAfterSeconds: 5,
  });
}
