import * as rows from '../../db/objects.ts';
import type { ObjectRow } from '../../db/schema.ts';
import { FsError } from '../../errors.ts';
import type { ObjectId, TenantId } from '../../ids.ts';
import { NOTHING, objectsAccount } from '../account.ts';
import { Room } from '../room.ts';
import { objectLock, objectPath, type RegistryParts } from './object-copies.ts';

/**
 * Deletes an object, unless it is deleted already or `applies` says no to it as it is by then. True when it did. Under the
 * object's own lock, so that its size does not change between the look at it and the charge.
 */
export async function removeObject(
  parts: RegistryParts,
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
async function markDeleted(parts: RegistryParts, room: Room, tenant: TenantId, row: ObjectRow): Promise<boolean> {
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
