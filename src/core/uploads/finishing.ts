import type { VolumeRef } from '../../auth/grant.ts';
import type { Database, UploadRow } from '../../db/schema.ts';
import * as rows from '../../db/uploads.ts';
import { markRecount } from '../../db/usage.ts';
import { FsError } from '../../errors.ts';
import type { ObjectId, TenantId } from '../../ids.ts';
import type { Staged } from '../../tree/staging.ts';
import { NOTHING, volumeOf } from '../account.ts';
import { DEFAULT_PERMISSIONS } from '../intake.ts';
import { missingParents } from '../parents.ts';
import { demandPlaceable, placeAll } from '../placing.ts';
import { holderOf, StandingRoom } from '../standing-room.ts';
import { storedPath } from '../stored-path.ts';
import type { UploadParts } from './upload-parts.ts';
import { accountOfUpload, metaOf } from './upload-rows.ts';
import type { UploadTurn } from './upload-turns.ts';

const DONE = { status: 'done', settle_at: null } as const;

/**
 * Puts a whole upload in place, or goes on where a process stopped that was at it: in every state that a crash can leave, what
 * is missing is done, and nothing twice. Only for whoever has its turn. @throws what placing a file there throws; then it stays
 */
export async function finish(parts: UploadParts, turn: UploadTurn, row: UploadRow): Promise<UploadRow> {
  if (row.status === 'done') return row;
  const ref = volumeOf(accountOfUpload(row));
  if (ref === null) return finishObject(parts, turn, row);
  await finishPath(parts, turn, row, ref);
  return { ...row, ...DONE };
}

async function finishPath(parts: UploadParts, turn: UploadTurn, row: UploadRow, ref: VolumeRef): Promise<void> {
  const volume = await parts.volumes.parts(ref);
  const { tree, staging } = volume.home;
  const path = storedPath(row.path ?? '');
  const room = new StandingRoom(parts.quota, volume.account, holderOf(row.id));
  const also = async (transaction: Database) => void (await rows.updateUpload(transaction, row.id, DONE));
  const before = await tree.find(path);
  if (row.status === 'whole') {
    // Before every byte of it is read, for nothing, as often as somebody tries.
    demandPlaceable({ path, mode: 'upsert' }, before);
    if (before === null) await missingParents(tree, [path]);
  }
  const mode = before?.kind === 'file' ? before.mode : DEFAULT_PERMISSIONS;
  const staged = await whatCame(row, staging.partial(row.id).staged({ mode }));
  if (staged === null) {
    // It was placed, and what the volume came to was never booked.
    await room.settle(NOTHING, async (transaction) => {
      await markRecount(transaction, volume.account);
      await also(transaction);
    });
    return parts.news.missed(volume.account);
  }
  await turn.check();
  await rows.updateUpload(parts.db, row.id, { status: 'placing' });
  const landing = { path, staged, charge: { bytes: staged.charged, files: 1 }, mode: 'upsert' } as const;
  await placeAll(volume, room, [landing], { also, stays: true });
}

async function finishObject(parts: UploadParts, turn: UploadTurn, row: UploadRow): Promise<UploadRow> {
  const id = row.status === 'kept' ? (row.object_id as ObjectId | null) : await makeObject(parts, turn, row);
  const tenant = row.tenant as TenantId;
  const object = id === null ? null : await parts.objects.find(tenant, id);
  // A crash before this is followed by the same again, and what was delivered is not delivered twice.
  if (object !== null) await parts.onKept(tenant, object);
  await rows.updateUpload(parts.db, row.id, DONE);
  return { ...row, ...DONE, object_id: id };
}

async function makeObject(parts: UploadParts, turn: UploadTurn, row: UploadRow): Promise<ObjectId> {
  const account = accountOfUpload(row);
  const { staging } = await parts.contents.home(account.tenant);
  const came = await whatCame(row, staging.partial(row.id).staged({ mode: DEFAULT_PERMISSIONS }));
  const staged = came ?? placedContent(row);
  await turn.check();
  if (row.status !== 'placing') await rows.beginPlacing(parts.db, row, staged.sha256);
  const room = new StandingRoom(parts.quota, account, holderOf(row.id));
  await parts.quota.afterRecount(account, () => room.cover({ bytes: staged.size, files: 1 }));
  const placing = { ...row, sha256: staged.sha256 };
  const object = await parts.objects.register(account.tenant, staged, room, metaOf(row), (transaction, id) =>
    rows.endPlacing(transaction, placing, id),
  );
  return object.id;
}

/** Null where it was placed already: only that takes its bytes out of staging while it is being placed. */
async function whatCame(row: UploadRow, staged: Promise<Staged>): Promise<Staged | null> {
  try {
    return await staged;
  } catch (error) {
    const isGone = error instanceof FsError && error.code === 'not_found';
    if (isGone && row.status === 'placing') return null;
    throw error;
  }
}

/** Content that is in its place already, and stays there as the upload refers to it. */
function placedContent({ length, sha256 }: UploadRow): Staged {
  if (sha256 === null) throw new FsError('internal', 'an upload has no content to refer to');
  const file = { kind: 'file', name: '', inode: '', isFlushed: true } as const;
  return { ...file, size: length, charged: length, sha256, discard: async () => undefined };
}
