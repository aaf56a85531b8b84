import type { Clock } from '../../clock.ts';
import * as rows from '../../db/objects.ts';
import type { Database, ObjectRow } from '../../db/schema.ts';
import { FsError } from '../../errors.ts';
import type { ObjectId, TenantId } from '../../ids.ts';
import { NOTHING, objectsAccount } from '../account.ts';
import type { Locks } from '../locks.ts';
import type { Quota } from '../quota.ts';
import { Room } from '../room.ts';
import type { Contents } from './contents.ts';
import { objectLock, objectPath } from './object-copies.ts';

export interface RemovalParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly quota: Quota;
  readonly locks: Locks;
  readonly contents: Contents;
}

/**
 * Deletes an object, unless it is deleted already or `applies` says no to it as it is by then. True when it did. Under the
 * object's own lock, so that its size does not change between the look at it and the charge.
 */
export async function removeObject(
  parts: RemovalParts,
  tenant: TenantId,
  id: ObjectId,
  applies: (row: ObjectRow) => boolean = () => true,
): Promise<boolean> {
  const { db, contents, locks, quota } = parts;
  const account = objectsAccount(tenant);
  const room = new Room(quota, account);
  try {
    await quota.afterRecount(account, () => room.cover(NOTHING, 'exact'));
    return await locks.withPathLock(objectLock(tenant), [objectPath(id)], async () => {
      const row = await rows.findObject(db, tenant, id);
      if (row === null || row.status === 'deleted' || !applies(row)) return false;
      const unregister = () => markDeleted(parts, room, tenant, row);
      if (row.sha256 === null) await unregister();
      else await contents.drop(tenant, row.sha256, unregister);
      return true;
    });
  } finally {
    await room.release();
  }
}

/** Marks the row and gives its room back, together. True when its content is left without an object. */
async function markDeleted(parts: RemovalParts, room: Room, tenant: TenantId, row: ObjectRow): Promise<boolean> {
  let orphaned = false;
  const charged = row.status === 'uploaded' ? { bytes: -(row.size ?? 0), files: -1 } : NOTHING;
  await room.settle(charged, async (transaction) => {
    const deleted = await rows.markObjectDeleted(transaction, tenant, row.id, parts.clock().getTime());
    // Thrown so that nothing is given back twice.
    if (deleted === null)
      throw new FsError('conflict', `file ${row.id} was deleted by somebody else at the same moment`);
    orphaned = deleted.content?.orphaned ?? false;
  });
  return orphaned;
}
