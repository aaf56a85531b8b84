import { setTimeout as pause } from 'node:timers/promises';
import { takeWanted, wantUpload } from '../../db/uploads.ts';
import { FsError } from '../../errors.ts';
import { type ClaimGuard, type ClaimParts, whileClaimed } from '../claim.ts';

/** What whoever works on an upload can ask. */
export interface UploadTurn extends ClaimGuard {
  /** Aborted when somebody else wants to work on the upload, or this process has lost it. */
  readonly signal: AbortSignal;
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

type Use<T> = (turn: UploadTurn) => Promise<T>;

const TTL_MS = 10_000;
const PATIENCE_MS = 8000;
const PAUSE_MS = 100;

export function openUploadTurns(parts: ClaimParts): UploadTurns {
  const { db } = parts;
  const here = new Map<string, Working>();

  /** Null where another process has it, and does not let go of it in time. */
  async function claimed<T>(
    id: string,
    patienceMs: number,
    stop: AbortController,
    use: Use<T>,
  ): Promise<{ readonly result: T } | null> {
    const onRenewal = async (isHeld: boolean): Promise<void> => {
      if (!isHeld || (await takeWanted(db, id))) stop.abort();
    };
    const work = (guard: ClaimGuard) => use({ signal: stop.signal, ...guard });
    const deadline = performance.now() + patienceMs;
    for (let tries = 0; ; tries += 1) {
      const done = await whileClaimed(parts, `uploads/${id}`, work, { ttlMs: TTL_MS, onRenewal });
      if (done !== null || performance.now() >= deadline) return done;
      if (tries === 0) await wantUpload(db, id);
      await pause(PAUSE_MS * (0.5 + Math.random()));
    }
  }

  /** Null where it is held elsewhere. Nobody of this process may be at it. */
  async function work<T>(id: string, patienceMs: number, use: Use<T>): Promise<{ readonly result: T } | null> {
    const stop = new AbortController();
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    here.set(id, { stop, over });
    try {
      return await claimed(id, patienceMs, stop, use);
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

function busy(): FsError {
  return new FsError('conflict', 'another request is at work on this upload and does not end; try again soon', {
    retryAfterSeconds: 5,
  });
}
