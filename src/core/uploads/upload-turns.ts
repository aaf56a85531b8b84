import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { checkLocks, renewLocks } from '../../db/lock-sets.ts';
import { acquireLock, releaseLock } from '../../db/locks.ts';
import type { Database } from '../../db/schema.ts';
import { takeWanted, wantUpload } from '../../db/uploads.ts';
import { FsError } from '../../errors.ts';

/** What whoever works on an upload can ask. */
export interface UploadTurn {
  /** Aborted when somebody else wants to work on the upload, or this process has lost it. */
  readonly signal: AbortSignal;
  /** Asks once more whether the upload is still ours. @throws unavailable */
  check(): Promise<void>;
}

/** Lets one caller at a time, of all processes, work on an upload. */
export interface UploadTurns {
  /**
   * Runs `use`. Who is at it already is asked to stop: most likely its client lost the connection and came back, and the
   * daemon has not noticed. @throws conflict where it does not stop soon
   */
  hold<T>(id: string, use: (turn: UploadTurn) => Promise<T>): Promise<T>;
  /** As `hold`, unless somebody is at it; says whether it did. */
  tryHold(id: string, use: (turn: UploadTurn) => Promise<void>): Promise<boolean>;
}

interface Working {
  readonly stop: AbortController;
  readonly over: Promise<void>;
}

const TTL_MS = 10_000;
const RENEW_MS = 2000;
const PATIENCE_MS = 8000;
const PAUSE_MS = 100;

export function openUploadTurns(parts: {
  readonly db: Database;
  readonly instance: string;
  readonly clock: Clock;
}): UploadTurns {
  const { db, instance, clock } = parts;
  const here = new Map<string, Working>();

  /** Null where another process has it. */
  async function take(id: string, patienceMs: number): Promise<number | null> {
    const deadline = performance.now() + patienceMs;
    for (let tries = 0; ; tries += 1) {
      const token = await acquireLock(db, { name: nameOf(id), instance, ttlMs: TTL_MS, now: clock().getTime() });
      if (token !== null || performance.now() >= deadline) return token;
      if (tries === 0) await wantUpload(db, id);
      await pause(PAUSE_MS * (0.5 + Math.random()));
    }
  }

  async function during<T>(id: string, token: number, stop: AbortController, use: Use<T>): Promise<T> {
    const held = new Map([[nameOf(id), token]]);
    const renew = async (): Promise<void> => {
      await renewLocks(db, instance, held, clock().getTime() + TTL_MS);
      if ((await takeWanted(db, id)) || !(await checkLocks(db, held))) stop.abort();
    };
    // A renewal that fails is found by the next check, or by the lock running out.
    const renewal = setInterval(() => void renew().catch(() => {}), RENEW_MS);
    try {
      return await use({ signal: stop.signal, check: () => demandHeld(db, held) });
    } finally {
      clearInterval(renewal);
      // What cannot be given back now runs out by itself.
      await releaseLock(db, { name: nameOf(id), token }).catch(() => {});
    }
  }

  /** Null where it is held elsewhere. Nobody of this process may be at it. */
  async function work<T>(id: string, patienceMs: number, use: Use<T>): Promise<{ readonly result: T } | null> {
    const stop = new AbortController();
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    here.set(id, { stop, over });
    try {
      const token = await take(id, patienceMs);
      return token === null ? null : { result: await during(id, token, stop, use) };
    } finally {
      here.delete(id);
      end();
    }
  }

  return {
    async hold(id, use) {
      for (let before = here.get(id); before !== undefined; before = here.get(id)) {
        before.stop.abort();
        await before.over;
      }
      const done = await work(id, PATIENCE_MS, use);
      if (done === null) throw busy();
      return done.result;
    },
    tryHold: async (id, use) => !here.has(id) && (await work(id, 0, use)) !== null,
  };
}

type Use<T> = (turn: UploadTurn) => Promise<T>;

function nameOf(id: string): string {
  return `uploads/${id}`;
}

async function demandHeld(db: Database, held: ReadonlyMap<string, number>): Promise<void> {
  if (await checkLocks(db, held)) return;
  throw new FsError('unavailable', 'the daemon was held up for too long and lost this upload; try again', {
    retryAfterSeconds: 1,
  });
}

function busy(): FsError {
  return new FsError('conflict', 'another request is at work on this upload and does not end; try again soon', {
    retryAfterSeconds: 5,
  });
}
