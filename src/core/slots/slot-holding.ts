import type { Clock } from '../../clock.ts';
import { findObject } from '../../db/objects.ts';
import type { Database, ObjectRow } from '../../db/schema.ts';
import * as rows from '../../db/slots.ts';
import { FsError } from '../../errors.ts';
import type { TenantId } from '../../ids.ts';
import type { PartialFile, Staged } from '../../tree/staging.ts';
import { objectsAccount } from '../account.ts';
import { type ClaimGuard, whileClaimed } from '../claim.ts';
import type { OnKept } from '../core.ts';
import { DEFAULT_PERMISSIONS } from '../intake.ts';
import type { Contents } from '../objects/contents.ts';
import { toObject } from '../objects/object-rows.ts';
import type { Quota } from '../quota.ts';
import { holderOf, StandingRoom } from '../standing-room.ts';
import type { Announce } from '../webhooks/announcer.ts';
import { aboutFile } from '../webhooks/event-data.ts';

export interface SlotParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly instance: string;
  readonly quota: Quota;
  readonly contents: Contents;
  readonly announce: Announce;
  readonly onKept: OnKept;
}

/** A slot that nobody else is at work on, with all that it holds. */
export interface HeldSlot {
  readonly row: ObjectRow;
  readonly tenant: TenantId;
  readonly partial: PartialFile;
  readonly room: StandingRoom;
  readonly guard: ClaimGuard;
}

/**
 * Works on a slot, whatever its status, or on null where the tenant has none of this id; answers null where another is at work
 * on it, in this process or another.
 */
export async function whileHeld<T>(
  parts: SlotParts,
  tenant: TenantId,
  id: string,
  work: (slot: HeldSlot | null) => Promise<T>,
): Promise<{ readonly result: T } | null> {
  return whileClaimed(parts, `slots/${id}`, async (guard) => {
    const row = await findObject(parts.db, tenant, id);
    if (row === null) return work(null);
    const { staging } = await parts.contents.home(tenant);
    return work({ row, tenant, guard, partial: staging.partial(id), room: roomOf(parts, tenant, id) });
  });
}

/** The reservation of a slot. */
export function roomOf({ quota }: SlotParts, tenant: TenantId, id: string): StandingRoom {
  return new StandingRoom(quota, objectsAccount(tenant), holderOf(id));
}

/** Sees to it that a slot has room for so many bytes. @throws quota_exceeded, unavailable */
export async function coverSlot({ quota }: SlotParts, { room }: Pick<HeldSlot, 'room'>, bytes: number): Promise<void> {
  await quota.afterRecount(room.account, () => room.cover({ bytes, files: 1 }));
}

/**
 * Verifies the bytes of a pending slot, all of which are on the disk, keeps them, and ends its upload; goes on where it stopped
 * when it was begun before. Returns their hash.
 * @throws not_found where the slot was deleted meanwhile, or its bytes are not there any more
 */
export async function finishSlot(parts: SlotParts, slot: HeldSlot): Promise<string> {
  const { row, tenant, room } = slot;
  const staged = await stagedOf(slot.partial);
  const content = staged ?? contentOf(row);
  if (content === null || (row.sha256 !== null && row.sha256 !== content.sha256)) throw lost(row.id);
  const { sha256, size } = content;
  const now = parts.clock();
  await slot.guard.check();
  // From here on the content is referred to, so that no sweep takes the bytes wherever a crash leaves them.
  if (row.sha256 === null) await rows.markArrived(parts.db, row, content, now.getTime());
  const uploaded: ObjectRow = { ...row, status: 'uploaded', sha256, size, uploaded_at: now.getTime() };
  const register = () =>
    room.settle({ bytes: size, files: 1 }, async (transaction) => {
      await rows.markUploaded(transaction, row.id, now.getTime());
      await parts.announce(transaction, tenant, 'file.created', () => aboutFile(uploaded));
    });
  if (staged === null) await registerPlaced(parts, tenant, sha256, register);
  else await place(parts, tenant, staged, register);
  await parts.onKept(tenant, toObject(uploaded));
  return sha256;
}

async function place(
  { contents }: SlotParts,
  tenant: TenantId,
  staged: Staged,
  register: () => Promise<void>,
): Promise<void> {
  try {
    await contents.keep(tenant, staged, register);
  } catch (error) {
    // Deleted meanwhile: nobody refers to what was just placed, and nobody else would find it.
    await contents.dropIfOrphaned(tenant, staged.sha256);
    throw error;
  }
}

/** @throws not_found where the bytes are not in place */
async function registerPlaced(
  { contents }: SlotParts,
  tenant: TenantId,
  sha256: string,
  register: () => Promise<void>,
): Promise<void> {
  const file = await contents.open(tenant, sha256);
  await file.close();
  await register();
}

/** All that came; null where it was put in place before something broke. */
async function stagedOf(partial: PartialFile): Promise<Staged | null> {
  try {
    return await partial.staged({ mode: DEFAULT_PERMISSIONS });
  } catch (error) {
    if (error instanceof FsError && error.code === 'not_found') return null;
    throw error;
  }
}

function contentOf({ sha256, size }: ObjectRow): { readonly sha256: string; readonly size: number } | null {
  return sha256 === null || size === null ? null : { sha256, size };
}

function lost(id: string): FsError {
  return new FsError('not_found', 'what was uploaded is not there any more; reserve a new slot', { path: id });
}
