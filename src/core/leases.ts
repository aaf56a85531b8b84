import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import * as rows from '../db/lock-sets.ts';
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
 * Paths share this many leases per volume, so that a commit of ten thousand files takes sixty-four and the whole volume is
 * locked by taking all. Two paths of one lease wait for each other, which costs time and nothing else.
 */
const SHARES = 64;
const TTL_MS = 10_000;
const MAX_WAIT_MS = 60_000;
const MAX_PAUSE_MS = 50;
/** A process that has had a lease for this long, one holder after another, lets others have it for a moment. */
const STREAK_MS = 200;

export function openLeases(db: Database, instance: string, clock: Clock): Leases {
  const turns = new Turns();

  /** Adds what is free to what is held, in the order of the names and never past one that is not. */
  async function take(names: readonly string[], held: Map<string, number>): Promise<void> {
    const missing = names.slice(held.size);
    const now = clock().getTime();
    const taken = await rows.acquireLocks(db, { names: missing, instance, ttlMs: TTL_MS, now });
    const firstMissed = missing.findIndex((name) => !taken.has(name));
    const early = new Map<string, number>();
    for (const [n, name] of missing.entries()) {
      const token = taken.get(name);
      if (token !== undefined) (firstMissed < 0 || n < firstMissed ? held : early).set(name, token);
    }
    // Two processes that each kept what the other waits for would wait forever.
    await rows.releaseLocks(db, instance, early);
  }

  async function takeAll(names: readonly string[], held: Map<string, number>): Promise<void> {
    const deadline = performance.now() + MAX_WAIT_MS;
    for (let waitMs = 1; ; waitMs = Math.min(MAX_PAUSE_MS, waitMs * 2)) {
      await take(names, held);
      if (held.size === names.length) return;
      if (performance.now() > deadline) throw busy();
      // Spread out, so that the processes that wait do not ask at the same moment again and again.
      await pause(waitMs * (0.5 + Math.random()));
    }
  }

  return {
    async hold(volume, paths, use) {
      const names = leaseNames(volume, paths);
      const endTurn = await turns.take(names);
      const held = new Map<string, number>();
      const renew = () => rows.renewLocks(db, instance, held, clock().getTime() + TTL_MS);
      // A renewal that fails is found by the next check, or by the lease running out.
      const renewal = setInterval(() => void renew().catch(() => {}), TTL_MS / 3);
      try {
        await takeAll(names, held);
        return await use({ check: () => demandHeld(db, held) });
      } finally {
        clearInterval(renewal);
        // What cannot be given back now runs out by itself.
        await rows.releaseLocks(db, instance, held).catch(() => {});
        endTurn();
      }
    },
  };
}

/** In the order in which every process takes them. */
function leaseNames(volume: string, paths: ReadonlySet<TreePath> | null): readonly string[] {
  const shares = paths === null ? Array.from({ length: SHARES }, (_, n) => n) : [...new Set([...paths].map(shareOf))];
  return shares.sort((one, other) => one - other).map((share) => `${volume}#${share}`);
}

function shareOf(path: TreePath): number {
  return (createHash('sha1').update(encodePath(path)).digest()[0] ?? 0) % SHARES;
}

/** Lets one holder of this process after another at each name; a lease is not for its holder to take again. */
class Turns {
  /** By name: when the turn that was taken last will have ended, and since when turns follow on one another. */
  readonly #last = new Map<string, { readonly ended: Promise<void>; readonly since: number }>();

  /** Resolves to what ends the turn. */
  async take(names: readonly string[]): Promise<() => void> {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const now = performance.now();
    const before = names.map((name) => this.#last.get(name));
    const since = Math.min(now, ...before.map((turn) => turn?.since ?? now));
    const isStreak = now - since > STREAK_MS;
    for (const name of names) this.#last.set(name, { ended, since: isStreak ? now : since });
    await Promise.all(before.map((turn) => turn?.ended));
    // Other processes ask again after this long at the most; without a pause they might never find the lease free.
    if (isStreak) await pause(1.5 * MAX_PAUSE_MS);
    return () => {
      for (const name of names) if (this.#last.get(name)?.ended === ended) this.#last.delete(name);
      end();
    };
  }
}

/** @throws unavailable unless all of these leases are still held as they were taken */
export async function demandHeld(db: Database, held: rows.LocksHeld): Promise<void> {
  if (await rows.checkLocks(db, held)) return;
  throw new FsError('unavailable', 'the daemon was held up for too long and gave up this change; try again', {
    retryAfterSeconds: 1,
  });
}

function busy(): FsError {
  return new FsError('unavailable', 'another daemon process is changing this path for too long; try again', {
    retryAfterSeconds: 5,
  });
}
