import { demand, type Grant } from '../../auth/grant.ts';
import { listObjects } from '../../db/object-lists.ts';
import { findObject } from '../../db/objects.ts';
import type { ObjectRow } from '../../db/schema.ts';
import { FsError } from '../../errors.ts';
import type { ObjectId, TenantId } from '../../ids.ts';
import type { Staged } from '../../tree/staging.ts';
import type { OpenFile } from '../../tree/tree.ts';
import { objectsAccount } from '../account.ts';
import type { FileObject, ObjectMeta, Objects, OnKept } from '../core.ts';
import type { LinkSigner } from '../core-parts.ts';
import { DEFAULT_PERMISSIONS, demandFits } from '../intake.ts';
import { pageOf } from '../paging.ts';
import { Room } from '../room.ts';
import { type Copies, type CopyParts, openCopies } from './object-copies.ts';
import { removeObject } from './object-removal.ts';
import {
  claimMeta,
  isExpired,
  markOf,
  narrowTo,
  noObject,
  parseMark,
  pendingUpload,
  reaches,
  toObject,
} from './object-rows.ts';
import { signFile } from './signed-file.ts';

export interface ObjectsParts extends CopyParts {
  readonly links: LinkSigner;
  readonly onKept: OnKept;
}

/** What core itself asks of objects besides what clients may: the daemon's own copies in and out. */
export interface InnerObjects extends Objects {
  find(tenant: TenantId, id: ObjectId): Promise<FileObject | null>;
  register: Copies['register'];
  openContent(tenant: TenantId, object: FileObject): Promise<OpenFile>;
  /** A new object with a copy of the file; closes it. @throws quota_exceeded, conflict when it changed meanwhile */
  keepCopy(tenant: TenantId, source: OpenFile, meta: ObjectMeta): Promise<FileObject>;
  /** The object with new content. @throws as keepCopy, and not_found */
  replaceCopy(tenant: TenantId, id: ObjectId, source: OpenFile): Promise<FileObject>;
  /** Deletes the object if its time is over. True when it did. */
  expire(tenant: TenantId, id: ObjectId): Promise<boolean>;
}

const OPEN_ATTEMPTS = 5;

export function openObjects(parts: ObjectsParts): InnerObjects {
  const { db, clock, contents } = parts;
  const copies = openCopies(parts);

  async function findRow(grant: Grant, id: ObjectId): Promise<ObjectRow> {
    const row = await findObject(db, grant.tenant, id);
    if (row === null || !reaches(grant, row)) throw noObject(id);
    return row;
  }

  async function get(grant: Grant, id: ObjectId): Promise<FileObject> {
    demand(grant, 'files:read');
    const row = await findRow(grant, id);
    if (isExpired(row, clock())) throw noObject(id);
    return toObject(row);
  }

  return {
    ...copies,
    get,
    receive: (tenant, body, options) => receive(parts, copies, tenant, body, options),
    openContent: (tenant, object) => contents.open(tenant, object.sha256),
    expire: (tenant, id) =>
      removeObject(parts, tenant, id, (row) => row.status === 'uploaded' && isExpired(row, clock())),

    async find(tenant, id) {
      const row = await findObject(db, tenant, id);
      return row?.status === 'uploaded' && !isExpired(row, clock()) ? toObject(row) : null;
    },

    async open(grant, id) {
      for (let attempt = 1; ; attempt += 1) {
        const object = await get(grant, id);
        try {
          const place = await contents.placeOf(grant.tenant, object.sha256);
          return { object, place, file: await contents.open(grant.tenant, object.sha256) };
        } catch (error) {
          // Deleted since it was looked up, or captured anew: the next look tells.
          if (!(error instanceof FsError) || error.code !== 'not_found') throw error;
          if (attempt === OPEN_ATTEMPTS) throw noObject(id);
        }
      }
    },

    async list(grant, filter, page) {
      demand(grant, 'files:read');
      const narrowed = narrowTo(grant, filter);
      if (narrowed === null) return { items: [], next: null };
      const wanted = { after: parseMark(page.cursor), limit: page.limit + 1, now: clock().getTime() };
      const found = await listObjects(db, { ...narrowed, tenant: grant.tenant }, wanted);
      return pageOf(found.map(toObject), page.limit, markOf);
    },

    async remove(grant, id) {
      demand(grant, 'files:write');
      const row = await findRow(grant, id);
      // Its slot alone can give it up, with what the slot has reserved.
      if (row.status === 'pending_upload') throw pendingUpload(id);
      if (row.status !== 'deleted') await removeObject(parts, grant.tenant, id);
    },

    async link(grant, id, ttlSeconds) {
      const object = await get(grant, id);
      const wanted = new Date(clock().getTime() + ttlSeconds * 1000);
      return { object, ...signFile(parts.links, { ...object, tenant: grant.tenant }, wanted) };
    },
  };
}

async function receive(
  parts: ObjectsParts,
  copies: Copies,
  ...[tenant, body, { maxBytes, declaredBytes = null }]: Parameters<Objects['receive']>
): ReturnType<Objects['receive']> {
  demandFits(declaredBytes, maxBytes);
  const account = objectsAccount(tenant);
  const room = new Room(parts.quota, account);
  const cover = (bytes: number, growth: 'exact' | 'ahead') =>
    parts.quota.afterRecount(account, () => room.cover({ bytes, files: 1 }, growth));
  let staged: Staged;
  try {
    if (declaredBytes !== null) await cover(declaredBytes, 'exact');
    const { staging } = await parts.contents.home(tenant);
    const onBytes = (total: number) => cover(total, 'ahead');
    staged = await staging.receive(body, { maxBytes, onBytes, mode: DEFAULT_PERMISSIONS });
    await cover(staged.size, 'exact');
  } catch (error) {
    await room.release();
    throw error;
  }
  const discard = async () => {
    await staged.discard();
    await room.release();
  };
  return {
    staged,
    discard,
    keep: (grant, meta) => keep(parts, copies, { tenant, staged, room, discard }, grant, meta),
  };
}

interface Received {
  readonly tenant: TenantId;
  readonly staged: Staged;
  readonly room: Room;
  discard(): Promise<void>;
}

async function keep(
  parts: ObjectsParts,
  copies: Copies,
  received: Received,
  grant: Grant,
  meta: ObjectMeta,
): Promise<FileObject> {
  try {
    demand(grant, 'files:write');
    if (grant.tenant !== received.tenant) throw new FsError('forbidden', 'this credential belongs to another tenant');
    const object = await copies.register(received.tenant, received.staged, received.room, claimMeta(grant, meta));
    await parts.onKept(received.tenant, object);
    return object;
  } catch (error) {
    await received.discard();
    throw error;
  }
}
