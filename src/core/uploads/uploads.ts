import { Readable } from 'node:stream';
import type { Grant, VolumeRef } from '../../auth/grant.ts';
import type { ReleasedContent } from '../../db/contents.ts';
import type { UploadRow } from '../../db/schema.ts';
import * as rows from '../../db/uploads.ts';
import { markRecount } from '../../db/usage.ts';
import { FsError } from '../../errors.ts';
import { makeUploadId, type TenantId, type UploadId } from '../../ids.ts';
import type { Count } from '../../tree/entry.ts';
import { demandCreatable } from '../../tree/path.ts';
import { freedBy, NOTHING, subtract } from '../account.ts';
import { demandFits } from '../intake.ts';
import { claimMeta } from '../objects/object-rows.ts';
import { demandPlaceable } from '../placing.ts';
import { holderOf, StandingRoom } from '../standing-room.ts';
import { finish } from './finishing.ts';
import { elsewhere, expiryOf, partialOf, take, trim } from './receiving.ts';
import type { UploadParts } from './upload-parts.ts';
import { accountFor, accountOfUpload, demandMayUpload, noUpload, toUpload } from './upload-rows.ts';
import { openUploadTurns, type UploadTurn, type UploadTurns } from './upload-turns.ts';
import type { Upload, UploadPart, Uploads, UploadTarget, UploadWanted } from './upload-types.ts';

/** What core itself asks of uploads besides what clients may. */
export interface InnerUploads extends Uploads {
  /** Puts in place what is whole and left lying, and ends what nobody went on with in time: a bounded part of it. */
  sweep(): Promise<void>;
}

interface Desk extends UploadParts {
  readonly turns: UploadTurns;
}

/** How many uploads of one tenant may be open at a time. */
const MAX_OPEN = 1000;
const SETTLED_AT_A_TIME = 10;
const EXPIRED_AT_A_TIME = 100;
const SETTLE_AGAIN_MS = 60_000;

export function openUploads(parts: UploadParts): InnerUploads {
  const desk: Desk = { ...parts, turns: openUploadTurns(parts) };
  return {
    create: (grant, wanted) => create(desk, grant, wanted),
    get: async (grant, id) => toUpload(await find(desk, grant, id)),
    resume: (grant, id) => goOn(desk, grant, id, (turn, row) => resume(desk, turn, row)),
    append: (grant, id, part) => goOn(desk, grant, id, (turn, row) => append(desk, turn, row, part)),

    async remove(grant, id) {
      await find(desk, grant, id);
      await desk.turns.hold(id, async () => end(desk, await find(desk, grant, id)));
    },

    async sweep() {
      await settleLeft(desk);
      await endExpired(desk);
    },
  };
}

async function create(desk: Desk, grant: Grant, wanted: UploadWanted): Promise<Upload> {
  demandFits(wanted.length, wanted.maxBytes);
  const row = newRow(grant, wanted, desk.clock());
  demandMayUpload(grant, row);
  const credit = await demandPossible(desk, grant, wanted.target);
  await demandFewOpen(desk, grant);
  const account = accountOfUpload(row);
  // The row first: what a crash leaves reserved is given back when the upload expires.
  await rows.insertUpload(desk.db, row);
  try {
    const room = new StandingRoom(desk.quota, account, holderOf(row.id));
    const total = subtract({ bytes: row.length, files: 1 }, credit);
    await desk.quota.afterRecount(account, () => room.cover(total));
  } catch (error) {
    await rows.deleteUpload(desk.db, row.id);
    throw error;
  }
  if (row.length > 0) return toUpload(row);
  const nothing = { offset: 0, body: Readable.from([]), checksum: null };
  return toUpload(await desk.turns.hold(row.id, (turn) => append(desk, turn, row, nothing)));
}

/** Refuses what can be known to come to nothing. Returns the charge of what the file would replace as things are. */
async function demandPossible(desk: Desk, grant: Grant, target: UploadTarget): Promise<Count> {
  if (target.kind === 'file') return NOTHING;
  demandCreatable(target.path);
  if (target.kind === 'workspace') await desk.agents.get(grant.tenant, target.agent);
  const volume = await desk.volumes.open(grant, refOf(grant.tenant, target), 'write');
  const before = await volume.find(target.path);
  demandPlaceable({ path: target.path, mode: 'upsert' }, before);
  return freedBy(before);
}

async function demandFewOpen({ db }: Desk, { tenant }: Grant): Promise<void> {
  const open = await rows.countOpenUploads(db, tenant);
  if (open < MAX_OPEN) return;
  throw new FsError(
    'rate_limited',
    `this tenant has ${open} uploads open and may have ${MAX_OPEN}; finish some, or delete those that are given up`,
    { limit: MAX_OPEN, retryAfterSeconds: 60 },
  );
}

function newRow(grant: Grant, { target, length, metadata }: UploadWanted, now: Date): UploadRow {
  return {
    id: makeUploadId(),
    ...accountFor(grant.tenant, target),
    path: target.kind === 'file' ? null : target.path,
    meta: target.kind === 'file' ? JSON.stringify(claimMeta(grant, target.meta)) : null,
    metadata,
    length,
    received: 0,
    status: 'open',
    sha256: null,
    object_id: null,
    wanted: 0,
    created_at: now.getTime(),
    expires_at: expiryOf(now),
    settle_at: null,
  };
}

/** The upload as the grant may see it. @throws not_found, forbidden */
async function find({ db }: Desk, grant: Grant, id: UploadId): Promise<UploadRow> {
  const row = await rows.findUpload(db, grant.tenant, id);
  if (row === null) throw noUpload();
  demandMayUpload(grant, row);
  return row;
}

type Step = (turn: UploadTurn, row: UploadRow) => Promise<UploadRow>;

/** Does something to an upload whose time is not over, alone with it. */
async function goOn(desk: Desk, grant: Grant, id: UploadId, step: Step): Promise<Upload> {
  const { target } = toUpload(await find(desk, grant, id));
  // Whoever uploads into a workspace uses it.
  if (target.kind === 'workspace') await desk.volumes.open(grant, refOf(grant.tenant, target), 'write');
  const row = await desk.turns.hold(id, async (turn) => {
    const current = await find(desk, grant, id);
    if (current.expires_at <= desk.clock().getTime()) {
      throw new FsError('expired', 'the time of this upload is over; begin again');
    }
    return step(turn, current);
  });
  return toUpload(row);
}

async function resume(desk: Desk, turn: UploadTurn, row: UploadRow): Promise<UploadRow> {
  return row.status === 'open' ? trim(desk, turn, row) : finish(desk, turn, row);
}

async function append(desk: Desk, turn: UploadTurn, row: UploadRow, part: UploadPart): Promise<UploadRow> {
  if (row.status !== 'open' && part.offset !== row.length) throw elsewhere(row.length, part.offset);
  const grown = row.status === 'open' ? await take(desk, turn, await trim(desk, turn, row), part) : row;
  return grown.status === 'open' ? grown : finish(desk, turn, grown);
}

/** Forgets an upload with all that is left of it. Only for whoever has its turn. */
async function end(desk: Desk, row: UploadRow): Promise<void> {
  const account = accountOfUpload(row);
  await (await partialOf(desk, row)).discard();
  let released: ReleasedContent | null = null;
  await new StandingRoom(desk.quota, account, holderOf(row.id)).release(async (transaction) => {
    // It may have been placed by one that stopped before it could say so.
    if (row.status === 'placing') await markRecount(transaction, account);
    released = await rows.deleteUpload(transaction, row.id);
  });
  const content = released as ReleasedContent | null;
  if (content?.orphaned === true) await desk.contents.dropIfOrphaned(account.tenant, content.sha256);
}

async function settleLeft(desk: Desk): Promise<void> {
  const { db, clock, log, turns } = desk;
  for (const row of await rows.uploadsToSettle(db, clock().getTime(), SETTLED_AT_A_TIME)) {
    const settled = turns.tryHold(row.id, async (turn) => {
      const current = await rows.findUpload(db, row.tenant, row.id);
      if (current !== null) await finish(desk, turn, current);
    });
    await settled.catch(async (error: unknown) => {
      log.warn({ err: error, upload: row.id }, 'an upload that is whole could not be put in place yet');
      await rows.updateUpload(db, row.id, { settle_at: clock().getTime() + SETTLE_AGAIN_MS });
    });
  }
}

async function endExpired(desk: Desk): Promise<void> {
  const { db, clock, log, metrics, turns } = desk;
  for (const row of await rows.expiredUploads(db, clock().getTime(), EXPIRED_AT_A_TIME)) {
    const isOver = (current: UploadRow | null): current is UploadRow =>
      current !== null && current.expires_at <= clock().getTime();
    try {
      const ended = await turns.tryHold(row.id, async () => {
        const current = await rows.findUpload(db, row.tenant, row.id);
        if (isOver(current)) await end(desk, current);
      });
      if (ended && row.status !== 'done') metrics.swept('upload', 1);
    } catch (error) {
      log.warn({ err: error, tenant: row.tenant, upload: row.id }, 'an upload that is over could not be removed yet');
    }
  }
}

function refOf(tenant: TenantId, target: Exclude<UploadTarget, { readonly kind: 'file' }>): VolumeRef {
  return target.kind === 'store' ? { kind: 'store', tenant } : { kind: 'workspace', tenant, agent: target.agent };
}
