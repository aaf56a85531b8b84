import { FsError } from '../errors.ts';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';

/** One request's claim to be the first with its key. */
export interface FirstClaim {
  readonly keyHash: string;
  readonly tenant: string;
  /** New for every claim: what is written later is this claim's or nobody's. */
  readonly claim: string;
}

export interface ClaimWanted extends FirstClaim {
  readonly instance: string;
  readonly callHash: string;
  readonly now: number;
  readonly expiresAt: number;
}

/** What one tenant may have at a time. */
export interface AnswerLimits {
  readonly answers: number;
  readonly bytes: number;
}

/** What an earlier request with the key left. */
export interface FoundAnswer {
  readonly claim: string;
  readonly callHash: string;
  /** null until the whole body had arrived. */
  readonly bodyHash: string | null;
  readonly bodyBytes: number;
  /** null while it is in work; '' where the answer could not be kept. */
  readonly answer: string | null;
  readonly expiresAt: number;
  /** False where the process that worked on it is gone. */
  readonly isOwned: boolean;
}

/**
 * Takes the key for a claim, and returns null; or returns what is there already. A row whose time is over, or whose process went
 * away before the body was there (so that nothing can have been done), gives way.
 * @throws rate_limited where the tenant has all the answers it may have
 */
export async function claimAnswer(
  db: Database,
  wanted: ClaimWanted,
  limits: AnswerLimits,
): Promise<FoundAnswer | null> {
  for (;;) {
    const outcome = await inTransaction(db, (tx) => tryToClaim(tx, wanted, limits));
    if (outcome !== 'freed') return outcome;
  }
}

/** 'freed' where the key was another's in one moment and nobody's in the next. */
async function tryToClaim(
  tx: Database,
  { keyHash, tenant, claim, instance, callHash, now, expiresAt }: ClaimWanted,
  limits: AnswerLimits,
): Promise<FoundAnswer | null | 'freed'> {
  const found = await findAnswer(tx, keyHash);
  if (found !== null && !isVoid(found, now)) return found;
  if (found !== null) await removeAnswer(tx, { keyHash, tenant, claim: found.claim });
  const row = { key_hash: keyHash, tenant, claim, instance, call_hash: callHash, expires_at: expiresAt };
  const taken = tx
    .insertInto('answers')
    .values(row)
    .onConflict((conflict) => conflict.doNothing());
  if ((await taken.executeTakeFirst()).numInsertedOrUpdatedRows !== 1n)
    return (await findAnswer(tx, keyHash)) ?? 'freed';
  await countClaim(tx, tenant, limits);
  return null;
}

async function findAnswer(db: Database, keyHash: string): Promise<FoundAnswer | null> {
  const row = await db
    .selectFrom('answers')
    .leftJoin('instances', 'instances.id', 'answers.instance')
    .selectAll('answers')
    .select('instances.id as owner')
    .where('key_hash', '=', keyHash)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    claim: row.claim,
    callHash: row.call_hash,
    bodyHash: row.body_hash,
    bodyBytes: row.body_bytes,
    answer: row.answer,
    expiresAt: row.expires_at,
    isOwned: row.owner !== null,
  };
}

function isVoid({ expiresAt, bodyHash, isOwned }: FoundAnswer, now: number): boolean {
  return expiresAt <= now || (bodyHash === null && !isOwned);
}

/** @throws rate_limited; the transaction that claimed ends with it */
async function countClaim(tx: Database, tenant: string, limits: AnswerLimits): Promise<void> {
  const made = tx.insertInto('answer_counts').values({ tenant });
  await made.onConflict((conflict) => conflict.doNothing()).execute();
  const counted = await tx
    .updateTable('answer_counts')
    .set(({ eb }) => ({ answers: eb('answers', '+', 1) }))
    .where('tenant', '=', tenant)
    .where('answers', '<', limits.answers)
    .where('bytes', '<', limits.bytes)
    .executeTakeFirst();
  if (counted.numUpdatedRows > 0n) return;
  const sentence = 'this tenant has used all the idempotency keys it may use in a day; send the request without one';
  throw new FsError('rate_limited', sentence, { limit: limits.answers, retryAfterSeconds: 3600 });
}

/** The whole body has arrived, and the work may begin. False where the claim is lost: it must not. */
export async function beginAnswer(
  db: Database,
  { keyHash, claim }: FirstClaim,
  body: { readonly hash: string; readonly bytes: number },
): Promise<boolean> {
  const begun = await db
    .updateTable('answers')
    .set({ body_hash: body.hash, body_bytes: body.bytes })
    .where('key_hash', '=', keyHash)
    .where('claim', '=', claim)
    .executeTakeFirst();
  return begun.numUpdatedRows > 0n;
}

/** Keeps the answer until then; '' where it cannot be repeated. Nothing where the claim is lost. */
export async function keepAnswer(
  db: Database,
  { keyHash, tenant, claim }: FirstClaim,
  answer: string,
  expiresAt: number,
): Promise<void> {
  const bytes = Buffer.byteLength(answer);
  await inTransaction(db, async (tx) => {
    const kept = await tx
      .updateTable('answers')
      .set({ answer, answer_bytes: bytes, expires_at: expiresAt })
      .where('key_hash', '=', keyHash)
      .where('claim', '=', claim)
      .executeTakeFirst();
    if (kept.numUpdatedRows > 0n) await count(tx, tenant, 0, bytes);
  });
}

/** Frees the key. Nothing where the claim is lost. */
export async function dropAnswer(db: Database, claim: FirstClaim): Promise<void> {
  await inTransaction(db, (tx) => removeAnswer(tx, claim));
}

async function removeAnswer(tx: Database, { keyHash, tenant, claim }: FirstClaim): Promise<void> {
  const removed = await tx
    .deleteFrom('answers')
    .where('key_hash', '=', keyHash)
    .where('claim', '=', claim)
    .returning('answer_bytes')
    .executeTakeFirst();
  if (removed !== undefined) await count(tx, tenant, -1, -removed.answer_bytes);
}

async function count(tx: Database, tenant: string, answers: number, bytes: number): Promise<void> {
  await tx
    .updateTable('answer_counts')
    .set(({ eb }) => ({ answers: eb('answers', '+', answers), bytes: eb('bytes', '+', bytes) }))
    .where('tenant', '=', tenant)
    .execute();
}

/** Removes answers whose time is over, the oldest first. Returns how many. */
export async function purgeAnswers(db: Database, now: number, limit: number): Promise<number> {
  return inTransaction(db, async (tx) => {
    const due = tx.selectFrom('answers').select('key_hash').where('expires_at', '<=', now);
    const purged = await tx
      .deleteFrom('answers')
      .where('key_hash', 'in', due.orderBy('expires_at').limit(limit))
      .where('expires_at', '<=', now)
      .returning(['tenant', 'answer_bytes'])
      .execute();
    const byTenant = Map.groupBy(purged, ({ tenant }) => tenant);
    // In one order, so that two who count do not wait for each other.
    for (const [tenant, rows] of [...byTenant].sort()) {
      await count(tx, tenant, -rows.length, -rows.reduce((sum, row) => sum + row.answer_bytes, 0));
    }
    return purged.length;
  });
}

/** Removes every answer of a tenant that is being deleted. */
export async function removeAnswersOf(db: Database, tenant: string): Promise<void> {
  for (const table of ['answers', 'answer_counts'] as const) {
    await db.deleteFrom(table).where('tenant', '=', tenant).execute();
  }
}
