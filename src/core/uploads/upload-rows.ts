import { demand, type Grant } from '../../auth/grant.ts';
import type { UploadRow } from '../../db/schema.ts';
import { FsError } from '../../errors.ts';
import type { ObjectId, TenantId, UploadId } from '../../ids.ts';
import { type Account, accountOf, objectsAccount, volumeOf } from '../account.ts';
import { reaches } from '../objects/object-rows.ts';
import type { ObjectMeta } from '../objects/object-types.ts';
import { storedPath } from '../stored-path.ts';
import type { Upload, UploadTarget } from './upload-types.ts';

/** What an upload to this target is charged to. */
export function accountFor(tenant: TenantId, target: UploadTarget): Account {
  if (target.kind === 'file') return objectsAccount(tenant);
  return accountOf(target.kind === 'store' ? { kind: 'store', tenant } : { ...target, tenant });
}

export function accountOfUpload({ tenant, part }: UploadRow): Account {
  // The columns were filled from these kinds.
  return { tenant: tenant as TenantId, part };
}

/** What the object is to be made with. @throws internal for an upload to a path */
export function metaOf(row: UploadRow): ObjectMeta {
  if (row.meta === null) throw new FsError('internal', 'an upload to a path was taken for one to an object');
  return JSON.parse(row.meta) as ObjectMeta;
}

function targetOf(row: UploadRow): UploadTarget {
  const ref = volumeOf(accountOfUpload(row));
  if (ref === null || row.path === null) return { kind: 'file', meta: metaOf(row) };
  const path = storedPath(row.path);
  return ref.kind === 'store' ? { kind: 'store', path } : { kind: 'workspace', agent: ref.agent, path };
}

export function toUpload(row: UploadRow): Upload {
  return {
    id: row.id as UploadId,
    target: targetOf(row),
    metadata: row.metadata,
    length: row.length,
    offset: row.received,
    isFinished: row.status === 'done',
    object: row.object_id as ObjectId | null,
    expiresAt: new Date(row.expires_at),
  };
}

/** @throws not_found for another user's or agent's, forbidden without the right to write its target */
export function demandMayUpload(grant: Grant, row: UploadRow): void {
  const ref = volumeOf(accountOfUpload(row));
  if (ref !== null) {
    demand(grant, `${ref.kind}:write`, ref);
    return;
  }
  demand(grant, 'files:write');
  const { userId, agentId } = metaOf(row);
  if (!reaches(grant, { tenant: row.tenant, user_id: userId, agent_id: agentId })) throw noUpload();
}

export function noUpload(): FsError {
  return new FsError('not_found', 'no upload has this id; it may have ended, or its time was over');
}
