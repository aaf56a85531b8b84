import type { Grant, UploadTerms } from '../../auth/grant.ts';
import type { ObjectRow } from '../../db/schema.ts';
import { FsError } from '../../errors.ts';
import type { AgentId } from '../../ids.ts';
import type { SlotDelivery, SlotProgress } from '../core.ts';
import { demandFits } from '../intake.ts';
import { noObject } from '../objects/object-rows.ts';
import { coverSlot, finishSlot, type HeldSlot, type SlotParts, whileHeld } from './slot-holding.ts';

/** What one delivery brings, as the file will have it. */
interface Span {
  readonly first: number;
  /** Where it ends, or null where nobody says that beforehand; and where it must end at the latest. */
  readonly end: number | null;
  readonly limit: number;
  /** What the whole file comes to, or null where nobody says. */
  readonly total: number | null;
}

// Where nobody says how long a body is, room is reserved so far ahead of it.
const AHEAD_BYTES = 16 * 1024 * 1024;
const BUSY_SECONDS = 1;

/** See Slots.fill. */
export async function fillSlot(parts: SlotParts, grant: Grant, delivery: SlotDelivery): Promise<SlotProgress> {
  const terms = demandTerms(grant);
  return whilePending(parts, grant, terms, async (slot) => {
    const { row } = slot;
    delivery.found({ userId: row.user_id, agentId: row.agent_id as AgentId | null });
    if (row.sha256 !== null) {
      await finishSlot(parts, slot);
      throw usedUp();
    }
    const span = spanOf(delivery, row.expected_size, terms);
    if (span.first === 0) await beginAnew(slot);
    await coverSlot(parts, slot, span.total ?? span.end ?? 0);
    const arrivedBytes = await append(parts, slot, span, delivery);
    await demandEnd(slot, span, delivery, arrivedBytes);
    const isWhole = delivery.piece === null || arrivedBytes === span.total;
    return isWhole ? { sha256: await finishSlot(parts, slot) } : { arrivedBytes };
  });
}

/** See Slots.progress. */
export async function progressOf(parts: SlotParts, grant: Grant, totalBytes: number | null): Promise<SlotProgress> {
  const terms = demandTerms(grant);
  return whilePending(parts, grant, terms, async (slot) => {
    const { row, partial } = slot;
    demandTotal(totalBytes, row.expected_size, terms);
    const arrivedBytes = await partial.size();
    const isWhole = arrivedBytes > 0 && arrivedBytes === (totalBytes ?? row.expected_size);
    return isWhole || row.sha256 !== null ? { sha256: await finishSlot(parts, slot) } : { arrivedBytes };
  });
}

function demandTerms({ upload }: Grant): UploadTerms {
  if (upload === undefined) throw new FsError('forbidden', 'only an upload link lets its bearer fill a slot');
  return upload;
}

/** @throws forbidden, expired, not_found for a slot that is not pending; conflict where another is at work on it */
async function whilePending<T>(
  parts: SlotParts,
  { tenant }: Grant,
  { object }: UploadTerms,
  work: (slot: HeldSlot) => Promise<T>,
): Promise<T> {
  const done = await whileHeld(parts, tenant, object, async (slot) => {
    demandPending(object, slot?.row.status);
    if (slot === null) throw noObject(object);
    return work(slot);
  });
  if (done !== null) return done.result;
  throw new FsError('conflict', 'another upload to this URL is under way; wait for its end, or come again later', {
    retryAfterSeconds: BUSY_SECONDS,
  });
}

function demandPending(id: string, status: ObjectRow['status'] | undefined): void {
  if (status === 'uploaded') throw usedUp();
  if (status === 'error_state') throw new FsError('expired', 'this upload link has expired; reserve a new slot');
  if (status !== 'pending_upload') throw noObject(id);
}

function usedUp(): FsError {
  return new FsError('forbidden', 'this upload link is used up: the file is uploaded');
}

function spanOf({ declaredBytes, piece }: SlotDelivery, expected: number | null, terms: UploadTerms): Span {
  const declared = piece === null ? declaredBytes : piece.total;
  demandTotal(declared, expected, terms);
  const total = declared ?? expected;
  if (piece === null) return { first: 0, end: total, limit: total ?? terms.maxBytes, total };
  const end = piece.last + 1;
  demandFits(end, terms.maxBytes);
  if (total !== null && end > total) {
    throw new FsError('invalid_request', `Content-Range ends with byte ${piece.last} of a file of ${total}`);
  }
  if (declaredBytes !== null && declaredBytes !== end - piece.first) {
    throw new FsError(
      'invalid_request',
      `Content-Range speaks of ${end - piece.first} bytes, and Content-Length of ${declaredBytes}`,
    );
  }
  return { first: piece.first, end, limit: end, total };
}

/** @throws too_large, invalid_request where it is not what the slot was made for */
function demandTotal(total: number | null, expected: number | null, { maxBytes }: UploadTerms): void {
  demandFits(total, maxBytes);
  if (total !== null && expected !== null && total !== expected) throw otherLength(expected, total);
}

/** Takes the body. What is longer than it may be leaves nothing; what breaks off leaves what came. */
async function append(parts: SlotParts, slot: HeldSlot, span: Span, { body }: SlotDelivery): Promise<number> {
  let covered = span.total ?? span.end ?? 0;
  const onBytes = async (total: number): Promise<void> => {
    if (total <= covered) return;
    covered = await coverAhead(parts, slot, total, Math.min(span.limit, total + AHEAD_BYTES));
  };
  try {
    const options = { at: span.first, maxBytes: span.limit, onBytes, beforeChange: slot.guard.insist };
    return await slot.partial.append(body, options);
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'too_large') throw error;
    await beginAnew(slot);
    throw span.end === null ? error : otherLength(span.end - span.first, null);
  }
}

/** Forgets what came. @throws unavailable where it is another's by now */
async function beginAnew({ guard, partial }: HeldSlot): Promise<void> {
  await guard.insist();
  await partial.discard();
}

/** Reserves as far ahead as there is room, at least what arrived. Returns how far. */
async function coverAhead(parts: SlotParts, slot: HeldSlot, arrived: number, ahead: number): Promise<number> {
  try {
    await coverSlot(parts, slot, ahead);
    return ahead;
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'quota_exceeded') throw error;
    await coverSlot(parts, slot, arrived);
    return arrived;
  }
}

/** A body that ended well, and not where it should, was not the file. @throws invalid_request */
async function demandEnd(slot: HeldSlot, span: Span, { piece }: SlotDelivery, arrived: number): Promise<void> {
  if (span.end === null || arrived === span.end) return;
  if (piece === null) await beginAnew(slot);
  throw otherLength(span.end - span.first, arrived - span.first);
}

function otherLength(expected: number, sent: number | null): FsError {
  const instead = sent === null ? 'more came' : `not ${sent}`;
  return new FsError('invalid_request', `the upload was announced with ${expected} bytes, ${instead}; send it again`);
}
