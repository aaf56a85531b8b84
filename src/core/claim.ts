import type { Clock } from '../clock.ts';
import { checkLocks, renewLocks } from '../db/lock-sets.ts';
import { acquireLock, releaseLock } from '../db/locks.ts';
import type { Database } from '../db/schema.ts';
import { FsError } from '../errors.ts';
import type { PathGuard } from './leases.ts';

export interface ClaimParts {
  readonly db: Database;
  readonly instance: string;
  readonly clock: Clock;
}

const TTL_MS = 60_000;

/**
 * Does work that one process, and one call of it, does at a time, as long as it takes; null where another is at it. Nobody
 * waits: who is refused knows best when to come again.
 */
export async function whileClaimed<T>(
  { db, instance, clock }: ClaimParts,
  name: string,
  work: (guard: PathGuard) => Promise<T>,
): Promise<{ readonly result: T } | null> {
  const token = await acquireLock(db, { name, instance, ttlMs: TTL_MS, now: clock().getTime() });
  if (token === null) return null;
  const held = new Map([[name, token]]);
  // A renewal that fails is found by the next check, or by the claim running out.
  const renew = () => void renewLocks(db, instance, held, clock().getTime() + TTL_MS).catch(() => {});
  const renewal = setInterval(renew, TTL_MS / 3);
  try {
    return { result: await work({ check: () => demandHeld(db, held) }) };
  } finally {
    clearInterval(renewal);
    // What cannot be given back now runs out by itself.
    await releaseLock(db, { name, token }).catch(() => {});
  }
}

async function demandHeld(db: Database, held: ReadonlyMap<string, number>): Promise<void> {
  if (await checkLocks(db, held)) return;
  throw new FsError('unavailable', 'the daemon was held up for too long and gave up this change; try again', {
    retryAfterSeconds: 1,
  });
}
