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

/** What whoever has claimed work can ask. */
export interface ClaimGuard extends PathGuard {
  /**
   * To be asked right before each of many changes to what is claimed. Costs nothing as long as the claim cannot have run out;
   * else it is held anew. @throws unavailable where another has it by now; what the database fails with
   */
  insist(): Promise<void>;
}

export interface ClaimOptions {
  /** How soon others may claim what a process had that is gone. */
  readonly ttlMs?: number;
  /** Told after every renewal, five in that time, whether the claim is still held. */
  readonly onRenewal?: (isHeld: boolean) => Promise<void>;
}

const TTL_MS = 60_000;
const RENEWALS = 5;
/** Of its time: clocks of two machines differ, and a change takes a moment. */
const SURE = 0.8;

/**
 * Does work that one process, and one call of it, does at a time, as long as it takes; null where another is at it. Nobody
 * waits: who is refused knows best when to come again.
 */
export async function whileClaimed<T>(
  { db, instance, clock }: ClaimParts,
  name: string,
  work: (guard: ClaimGuard) => Promise<T>,
  { ttlMs = TTL_MS, onRenewal }: ClaimOptions = {},
): Promise<{ readonly result: T } | null> {
  const now = clock().getTime();
  const token = await acquireLock(db, { name, instance, ttlMs, now });
  if (token === null) return null;
  const held = new Map([[name, token]]);
  let sureUntil = now + ttlMs * SURE;
  const renew = async (): Promise<boolean> => {
    const renewedAt = clock().getTime();
    await renewLocks(db, instance, held, renewedAt + ttlMs);
    // What was renewed may be the claim of another call here, which took it when this one had lost it.
    const isHeld = await checkLocks(db, held);
    if (isHeld) sureUntil = renewedAt + ttlMs * SURE;
    return isHeld;
  };
  const insist = async (): Promise<void> => {
    if (clock().getTime() < sureUntil) return;
    await renew();
    await demandHeld(db, held);
  };
  // A renewal that fails is found by whoever asks next, or by the claim running out.
  const renewal = setInterval(
    () =>
      void renew()
        .then(onRenewal)
        .catch(() => {}),
    ttlMs / RENEWALS,
  );
  try {
    return { result: await work({ check: () => demandHeld(db, held), insist }) };
  } finally {
    clearInterval(renewal);
    // What cannot be given back now runs out by itself.
    await releaseLock(db, { name, token }).catch(() => {});
  }
}
