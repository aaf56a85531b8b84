import { createHash, randomUUID } from 'node:crypto';
import type { Grant } from '../../auth/grant.ts';
import type { Clock } from '../../clock.ts';
import * as rows from '../../db/answers.ts';
import type { Database } from '../../db/schema.ts';
import { FsError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Sealer } from '../core-parts.ts';
import type { Answers, EarlierAnswer, FirstWork } from './answer-types.ts';

export interface AnswersParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly instance: string;
  readonly seals: Sealer;
  readonly log: Log;
}

export interface InnerAnswers extends Answers {
  /** Forgets a bounded number of answers whose day is over. */
  purge(): Promise<void>;
}

const KEPT_MS = 24 * 3600 * 1000;
const MAX_ANSWER_BYTES = 256 * 1024;
const LIMITS = { answers: 100_000, bytes: 256 * 1024 ** 2 };
const PURGED_AT_A_TIME = 1000;
const IN_WORK_SECONDS = 1;

export function openAnswers(parts: AnswersParts): InnerAnswers {
  const { db, clock, instance } = parts;
  return {
    async claim(grant, key, call) {
      const now = clock().getTime();
      const held = { keyHash: hashOf([...ownerOf(grant), key]), tenant: grant.tenant, claim: randomUUID() };
      const wanted = { ...held, instance, callHash: hashOf([call]), now, expiresAt: now + KEPT_MS };
      const found = await rows.claimAnswer(db, wanted, LIMITS);
      if (found === null) return { first: firstWork(parts, held, key) };
      if (found.callHash !== wanted.callHash) throw usedFor('another call');
      return { earlier: earlierAnswer(parts, found, key) };
    },

    async purge() {
      await rows.purgeAnswers(db, clock().getTime(), PURGED_AT_A_TIME);
    },
  };
}

function usedFor(what: 'another call' | 'another body'): FsError {
  return new FsError('conflict', `this Idempotency-Key was used for ${what}; every request of its own needs a new key`);
}

/** Two credentials that may see different things never share an answer. */
function ownerOf({ tenant, subject, agent, user }: Grant): readonly (string | null)[] {
  return [tenant, subject, agent, user];
}

function hashOf(texts: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest('base64url');
}

/** Clients choose keys: nothing else that is sealed is sealed in the name of one. */
function contextOf(key: string): string {
  return `answer/${key}`;
}

/** What an earlier request left. @throws conflict while it is in work, and where it ended without an answer */
function earlierAnswer({ seals }: AnswersParts, found: rows.FoundAnswer, key: string): EarlierAnswer {
  const { bodyHash, bodyBytes, answer, isOwned } = found;
  if (bodyHash === null || (answer === null && isOwned)) {
    const sentence =
      'the first request with this Idempotency-Key is still in work; its answer comes to one who asks again';
    throw new FsError('conflict', sentence, { retryAfterSeconds: IN_WORK_SECONDS });
  }
  if (answer === null) {
    throw new FsError(
      'conflict',
      'the first request with this Idempotency-Key was cut short by a crash and may have been done; look, and use a new key',
    );
  }
  return {
    body: { hash: bodyHash, bytes: bodyBytes },
    answerTo(body) {
      if (body?.hash !== bodyHash) throw usedFor('another body');
      const text = answer === '' ? null : seals.open(answer, contextOf(key));
      if (text !== null) return text;
      throw new FsError(
        'conflict',
        'this request was done before, but its answer could not be kept; look at what it made',
      );
    },
  };
}

function firstWork({ db, clock, seals, log }: AnswersParts, held: rows.FirstClaim, key: string): FirstWork {
  // What became of the request is decided by then, and its client is told that.
  const noted = (outcome: Promise<void>) =>
    outcome.catch((error: unknown) => log.error({ err: error }, 'the outcome of an Idempotency-Key was not recorded'));
  return {
    async begin(body) {
      if (await rows.beginAnswer(db, held, body)) return;
      const sentence = 'the request took so long that its Idempotency-Key was given up; send it again';
      throw new FsError('conflict', sentence, { retryAfterSeconds: IN_WORK_SECONDS });
    },
    keep(answer) {
      const sealed = Buffer.byteLength(answer) > MAX_ANSWER_BYTES ? '' : seals.seal(answer, contextOf(key));
      return noted(rows.keepAnswer(db, held, sealed, clock().getTime() + KEPT_MS));
    },
    free: () => noted(rows.dropAnswer(db, held)),
  };
}
