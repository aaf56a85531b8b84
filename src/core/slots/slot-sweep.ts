import type { ObjectRow } from '../../db/schema.ts';
import * as rows from '../../db/slots.ts';
import { FsError } from '../../errors.ts';
import type { TenantId } from '../../ids.ts';
import type { Log } from '../../log.ts';
import type { CoreMetrics } from '../core-parts.ts';
import { finishSlot, type HeldSlot, type SlotParts, whileHeld } from './slot-holding.ts';

export interface SlotSweepParts extends SlotParts {
  readonly log: Log;
  readonly metrics: Pick<CoreMetrics, 'swept'>;
}

const AT_A_TIME = 100;
// A verification reads the whole file: what is due after so long waits for the next round.
const ROUND_MS = 10_000;
const LATER_MS = 10_000;

/**
 * Sees to slots whose time is over: finishes those of which every byte had come when something broke, gives up those that were
 * never filled, and empties those that were deleted. A slot that is just being filled comes later.
 */
export async function sweepSlots(parts: SlotSweepParts): Promise<void> {
  const startedAt = performance.now();
  for (const due of await rows.dueSlots(parts.db, parts.clock().getTime(), AT_A_TIME)) {
    if (performance.now() - startedAt > ROUND_MS) return;
    try {
      await endOne(parts, due);
    } catch (error) {
      parts.log.error({ err: error, tenant: due.tenant, slot: due.id }, 'a slot could not be settled yet');
      // Behind all that wait, so that it keeps none of them from its turn.
      await postpone(parts, due);
    }
  }
}

async function endOne(parts: SlotSweepParts, due: ObjectRow): Promise<void> {
  // The column was filled from a tenant's id.
  const ended = await whileHeld(parts, due.tenant as TenantId, due.id, (slot) => endSlot(parts, slot));
  if (ended === null) await postpone(parts, due);
}

function postpone({ db, clock }: SlotSweepParts, { id }: ObjectRow): Promise<void> {
  return rows.postpone(db, id, clock().getTime() + LATER_MS);
}

/** Ends a slot that is due, as it stands now. Nothing where it is not due (any more). */
export async function endSlot(parts: SlotSweepParts, slot: HeldSlot | null): Promise<void> {
  if (slot === null || slot.row.slot_until === null || slot.row.slot_until > parts.clock().getTime()) return;
  const { row, room, partial } = slot;
  if (row.status === 'pending_upload' && (await isFinished(parts, slot))) return;
  await room.release((transaction) =>
    row.status === 'pending_upload' ? rows.markFailed(transaction, row) : rows.markEmptied(transaction, row.id),
  );
  await partial.discard();
  if (row.status === 'pending_upload') parts.metrics.swept('slot', 1);
}

/** True where all of it had come, and is kept now. */
async function isFinished(parts: SlotSweepParts, slot: HeldSlot): Promise<boolean> {
  const { sha256, expected_size: expected } = slot.row;
  const isWhole = sha256 !== null || (expected !== null && expected > 0 && (await slot.partial.size()) === expected);
  if (!isWhole) return false;
  try {
    await finishSlot(parts, slot);
    return true;
  } catch (error) {
    if (error instanceof FsError && error.code === 'not_found') return false;
    throw error;
  }
}
