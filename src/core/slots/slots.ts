import { demand, type Grant } from '../../auth/grant.ts';
import { listKept } from '../../db/object-lists.ts';
import { findAnyObject, insertObject } from '../../db/objects.ts';
import type { ObjectRow } from '../../db/schema.ts';
import * as rows from '../../db/slots.ts';
import { FsError } from '../../errors.ts';
import { makeSlotId, type ObjectId, type TenantId } from '../../ids.ts';
import type { Objects, ReservedSlot, SignedPath, Slot, Slots, SlotWanted } from '../core.ts';
import type { LinkSigner } from '../core-parts.ts';
import { demandFits } from '../intake.ts';
import { claimMeta, isExpired, narrowTo, noObject, pendingUpload, reaches } from '../objects/object-rows.ts';
import { signFile } from '../objects/signed-file.ts';
import { fillSlot, progressOf } from './slot-fill.ts';
import { coverSlot, roomOf, whileHeld } from './slot-holding.ts';
import { endSlot, type SlotSweepParts, sweepSlots } from './slot-sweep.ts';

export interface SlotsParts extends SlotSweepParts {
  readonly links: LinkSigner;
  readonly objects: Pick<Objects, 'remove'>;
}

/** Slots, and what time does to them. */
export interface InnerSlots extends Slots {
  /** Settles what is due; see sweepSlots. */
  sweep(): Promise<void>;
}

// slots.md: every URL lives this long.
const URL_MS = 15 * 60_000;

export function openSlots(parts: SlotsParts): InnerSlots {
  const { db } = parts;
  return {
    create: (grant, wanted) => create(parts, grant, wanted),
    fill: (grant, delivery) => fillSlot(parts, grant, delivery),
    progress: (grant, totalBytes) => progressOf(parts, grant, totalBytes),
    download: (grant, id) => download(parts, grant, id),
    remove: (grant, id) => remove(parts, grant, id),
    sweep: () => sweepSlots(parts),

    async list(grant, { limit, offset }) {
      demand(grant, 'files:read');
      const found = await listKept(db, { ...narrowTo(grant, {}), tenant: grant.tenant }, { limit: limit + 1, offset });
      return { items: found.slice(0, limit).map(toSlot), hasMore: found.length > limit };
    },

    async setVisibility(grant, id, visibility) {
      demand(grant, 'files:write');
      const row = await findOwn(parts, grant, id);
      const changed = await rows.setVisibility(db, row.tenant, id, visibility);
      if (changed === null) throw noObject(id);
      return toSlot(changed);
    },
  };
}

async function create(
  parts: SlotsParts,
  grant: Grant,
  { contentType, filename, visibility, expectedBytes, maxBytes, expiresAfterSeconds = null }: SlotWanted,
): Promise<ReservedSlot> {
  demand(grant, 'files:write');
  demandFits(expectedBytes, maxBytes);
  const { tenant } = grant;
  const id = makeSlotId();
  const now = parts.clock();
  const expiresAt = expiresAfterSeconds === null ? null : new Date(now.getTime() + expiresAfterSeconds * 1000);
  const urlEnd = now.getTime() + URL_MS;
  const until = new Date(Math.min(urlEnd, expiresAt?.getTime() ?? urlEnd));
  const meta = { filename, mimeType: contentType, purpose: null, userId: null, agentId: null, sessionId: null };
  const { userId, agentId } = claimMeta(grant, meta);
  await insertObject(parts.db, {
    ...{ id, tenant, user_id: userId, agent_id: agentId, session_id: null, run_id: null, purpose: null },
    ...{ status: 'pending_upload', visibility, filename, mime_type: contentType, size: null, sha256: null, path: null },
    ...{ created_at: now.getTime(), deleted_at: null, expected_size: expectedBytes, uploaded_at: null },
    ...{ slot_until: until.getTime(), expires_at: expiresAt?.getTime() ?? null, downloads: 0 },
  });
  try {
    // After the row, so that a crash leaves no room that nobody gives back.
    await coverSlot(parts, { room: roomOf(parts, tenant, id) }, expectedBytes ?? 0);
  } catch (error) {
    await rows.forgetSlot(parts.db, id);
    throw error;
  }
  const path = `/signed/slots/${id}`;
  const token = parts.links.sign(path, { kind: 'upload', tenant, object: id, contentType, maxBytes }, until);
  return { id, upload: { path: `${path}?token=${token}`, expiresAt: until }, expiresAt };
}

async function download(parts: SlotsParts, grant: Grant, id: ObjectId): Promise<SignedPath> {
  demand(grant, 'files:read');
  const row = await findAnyObject(parts.db, id);
  const now = parts.clock();
  if (row === null || row.status === 'deleted' || row.status === 'error_state' || isExpired(row, now))
    throw noObject(id);
  if (row.visibility === 'private') demandOwn(grant, row);
  if (row.status === 'pending_upload') throw pendingUpload(id);
  await rows.countDownload(parts.db, id);
  const expiresAt = row.expires_at === null ? null : new Date(row.expires_at);
  // Of the owner, also where another tenant asks: the link reads that one object and nothing else.
  const file = { tenant: row.tenant as TenantId, id, expiresAt };
  return signFile(parts.links, file, new Date(now.getTime() + URL_MS));
}

async function remove(parts: SlotsParts, grant: Grant, id: ObjectId): Promise<void> {
  demand(grant, 'files:write');
  const row = await findAnyObject(parts.db, id);
  if (row === null) throw noObject(id);
  demandOwn(grant, row);
  const released = await rows.deleteUnfilled(parts.db, row, parts.clock().getTime());
  if (released === undefined) return parts.objects.remove(grant, id);
  if (released?.orphaned === true) await parts.contents.dropIfOrphaned(grant.tenant, released.sha256);
  // Where somebody is just filling it, the sweep comes back to what it holds.
  await whileHeld(parts, grant.tenant, id, (slot) => endSlot(parts, slot));
}

/** One that is not deleted, whose time is not over, and that the grant may change. @throws not_found, forbidden */
async function findOwn({ db, clock }: SlotsParts, grant: Grant, id: ObjectId): Promise<ObjectRow> {
  const row = await findAnyObject(db, id);
  if (row === null || row.status === 'deleted' || isExpired(row, clock())) throw noObject(id);
  demandOwn(grant, row);
  return row;
}

/** @throws forbidden for another tenant's (slots.md asks for it), not_found for what a bound credential does not reach */
function demandOwn(grant: Grant, row: ObjectRow): void {
  if (row.tenant !== grant.tenant) throw new FsError('forbidden', 'this file belongs to another tenant');
  if (!reaches(grant, row)) throw noObject(row.id);
}

function toSlot(row: ObjectRow): Slot {
  const isPending = row.status === 'pending_upload';
  return {
    id: row.id as ObjectId,
    filename: row.filename,
    contentType: row.mime_type,
    visibility: row.visibility,
    status: row.status,
    expectedBytes: row.expected_size,
    actualBytes: isPending ? null : row.size,
    createdAt: new Date(row.created_at),
    uploadedAt: row.uploaded_at === null ? null : new Date(row.uploaded_at),
    deletedAt: row.deleted_at === null ? null : new Date(row.deleted_at),
    expiresAt: row.expires_at === null ? null : new Date(row.expires_at),
    downloads: row.downloads,
  };
}
