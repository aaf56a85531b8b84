import type { Clock } from '../clock.ts';
import { checkLocks, renewLocks } from '../db/lock-sets.ts';
import { acquireLock, releaseLock } from '../db/locks.ts';
import type { Database } from '../db/schema.ts';
import { demandHeld, type PathGuard } from './leases.ts';

export interface ClaimParts {
  readonly db: Database;
  readonly instance: string;
  readonly clock: Clock;
}

export interface ClaimOptions {
  /** How soon others may claim what a process had that is gone. */
  readonly ttlMs?: number;
  /** Told after every renewal, five in that time, whether the claim is still held. */
  readonly onRenewal?: (isHeld: boolean) => Promise<void>;
}

const TTL_MS = 60_000;
const RENEWALS = 5;

/**
 * Does work that one process, and one call of it, does at a time, as long as it takes; null where another is at it. Nobody
 * waits: who is refused knows best when to come again.
 */
export async function whileClaimed<T>(
  { db, instance, clock }: ClaimParts,
  name: string,
  work: (guard: PathGuard) => Promise<T>,
  { ttlMs = TTL_MS, onRenewal }: ClaimOptions = {},
): Promise<{ readonly result: T } | null> {
  const token = await acquireLock(db, { name, instance, ttlMs, now: clock().getTime() });
  if (token === null) return null;
  const held = new Map([[name, token]]);
  const renew = async (): Promise<void> => {
    await renewLocks(db, instance, held, clock().getTime() + ttlMs);
    if (onRenewal !== undefined) await onRenewal(await checkLocks(db, held));
  };
  // A renewal that fails is found by the next check, or by the claim running out.
  const renewal = setInterval(() => void renew().catch(() => {}), ttlMs / RENEWALS);
  try {
    return { result: await work({ check: () => demandHeld(db, held) }) };
  } finally {
    clearInterval(renewal);
    // What cannot be given back now runs out by itself.
    await releaseLock(db, { name, token }).catch(() => {});
  }
}
