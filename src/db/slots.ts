import { FsError } from '../errors.ts';
import { addReference, dropReference, type ReleasedContent } from './contents.ts';
import { findObject, markObjectDeleted } from './objects.ts';
import type { Database, ObjectRow } from './schema.ts';
import { inTransaction } from './transaction.ts';

/*
 * A slot is an object's row. As long as `slot_until` is set it may have room reserved and a partial file, also where it is
 * deleted by now. A row with a `sha256` refers to that content, whatever its status.
 */

/** One download more. */
export async function countDownload(db: Database, id: string): Promise<void> {
  const counted = db.updateTable('objects').set(({ eb }) => ({ downloads: eb('downloads', '+', 1) }));
  await counted.where('id', '=', id).execute();
}

/** The object as it is then; null where the tenant has no such object, or none any more. */
export async function setVisibility(
  db: Database,
  tenant: string,
  id: string,
  visibility: ObjectRow['visibility'],
): Promise<ObjectRow | null> {
  const changed = db.updateTable('objects').set({ visibility }).where('id', '=', id).where('tenant', '=', tenant);
  const { numUpdatedRows } = await changed.where('status', '!=', 'deleted').executeTakeFirst();
  return numUpdatedRows === 0n ? null : findObject(db, tenant, id);
}

/** Takes back the row of a slot that could not be made. */
export async function forgetSlot(db: Database, id: string): Promise<void> {
  await db.deleteFrom('objects').where('id', '=', id).where('status', '=', 'pending_upload').execute();
}

/**
 * Every byte of a pending slot is on the disk, and this is their content, to which it refers from now on. It is due at once:
 * whoever finds nobody at work on it finishes it. @throws not_found where it is not pending (any more)
 */
export async function markArrived(
  db: Database,
  { tenant, id }: Pick<ObjectRow, 'tenant' | 'id'>,
  { sha256, size }: { readonly sha256: string; readonly size: number },
  now: number,
): Promise<void> {
  await inTransaction(db, async (tx) => {
    const pending = tx.updateTable('objects').set({ size, sha256, slot_until: now }).where('id', '=', id);
    const marked = await pending.where('status', '=', 'pending_upload').where('sha256', 'is', null).executeTakeFirst();
    if (marked.numUpdatedRows === 0n) throw notWaiting(id);
    await addReference(tx, { tenant, sha256, size });
  });
}

/** What arrived is verified and in place. @throws not_found where the slot is not pending (any more) */
export async function markUploaded(db: Database, id: string, now: number): Promise<void> {
  const uploaded = db.updateTable('objects').set({ status: 'uploaded', uploaded_at: now, slot_until: null });
  const pending = uploaded.where('id', '=', id).where('status', '=', 'pending_upload').where('sha256', 'is not', null);
  if ((await pending.executeTakeFirst()).numUpdatedRows === 0n) throw notWaiting(id);
}

/** Gives up a pending slot, whose content never came or was lost. Nothing where it is not pending (any more). */
export async function markFailed(db: Database, { tenant, id }: Pick<ObjectRow, 'tenant' | 'id'>): Promise<void> {
  await inTransaction(db, async (tx) => {
    const own = tx.updateTable('objects').where('id', '=', id).where('status', '=', 'pending_upload');
    // An update that changes nothing: from here on nobody else changes the row before this transaction ends.
    const pending = await own
      .set(({ ref }) => ({ id: ref('id') }))
      .returning('sha256')
      .executeTakeFirst();
    if (pending === undefined) return;
    await own.set({ status: 'error_state', size: null, sha256: null, slot_until: null }).execute();
    if (pending.sha256 !== null) await dropReference(tx, { tenant, sha256: pending.sha256 });
  });
}

/**
 * Deletes what is not uploaded: a pending slot, which is due at once for what it holds, or one that was given up. Returns the
 * content it let go; undefined where the object is uploaded or deleted, and nothing changed.
 */
export async function deleteUnfilled(
  db: Database,
  { tenant, id }: Pick<ObjectRow, 'tenant' | 'id'>,
  now: number,
): Promise<ReleasedContent | null | undefined> {
  return inTransaction(db, async (tx) => {
    const own = tx.updateTable('objects').where('id', '=', id).where('tenant', '=', tenant);
    const pending = await own.set({ slot_until: now }).where('status', '=', 'pending_upload').executeTakeFirst();
    const failed = await own.set({ slot_until: null }).where('status', '=', 'error_state').executeTakeFirst();
    if (pending.numUpdatedRows + failed.numUpdatedRows === 0n) return undefined;
    return (await markObjectDeleted(tx, tenant, id, now))?.content ?? null;
  });
}

/** Has a slot that is due come up again later. */
export async function postpone(db: Database, id: string, until: number): Promise<void> {
  await db
    .updateTable('objects')
    .set({ slot_until: until })
    .where('id', '=', id)
    .where('slot_until', 'is not', null)
    .execute();
}

/** A deleted slot holds nothing any more. */
export async function markEmptied(db: Database, id: string): Promise<void> {
  await db
    .updateTable('objects')
    .set({ slot_until: null })
    .where('id', '=', id)
    .where('status', '=', 'deleted')
    .execute();
}

/** Slots that hold something and whose time is over, those first that wait longest. */
export async function dueSlots(db: Database, now: number, limit: number): Promise<readonly ObjectRow[]> {
  const due = db.selectFrom('objects').selectAll().where('slot_until', 'is not', null).where('slot_until', '<=', now);
  return due.orderBy('slot_until').limit(limit).execute();
}

function notWaiting(id: string): FsError {
  return new FsError('not_found', 'this file does not wait for its content any more', { path: id });
}
