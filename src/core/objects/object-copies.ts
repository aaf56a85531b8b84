import type { Clock } from '../../clock.ts';
import type { ReleasedContent } from '../../db/contents.ts';
import * as rows from '../../db/objects.ts';
import type { Database, ObjectRow } from '../../db/schema.ts';
import { makeObjectId, type ObjectId, type TenantId } from '../../ids.ts';
import type { TreePath } from '../../tree/path.ts';
import type { Staged } from '../../tree/staging.ts';
import type { OpenFile } from '../../tree/tree.ts';
import { objectsAccount } from '../account.ts';
import type { FileObject, ObjectMeta } from '../core.ts';
import { DEFAULT_PERMISSIONS } from '../intake.ts';
import type { Locks } from '../locks.ts';
import { detectMediaType, type KnownOfType } from '../media-type.ts';
import type { Quota } from '../quota.ts';
import { type Reservation, Room } from '../room.ts';
import type { Announce } from '../webhooks/announcer.ts';
import { aboutFile } from '../webhooks/event-data.ts';
import type { Contents } from './contents.ts';
import { noObject, toObject } from './object-rows.ts';

/** What objects stand on. */
export interface RegistryParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly quota: Quota;
  readonly locks: Locks;
  readonly contents: Contents;
}

export interface CopyParts extends RegistryParts {
  readonly announce: Announce;
}

/** Objects made by the daemon itself. Each is charged at its logical size, also where its content is kept once for several. */
export interface Copies {
  /** Makes an object of staged bytes that the room covers, and ends the room. `also` joins the transaction. */
  register(
    tenant: TenantId,
    staged: Staged,
    room: Reservation,
    meta: ObjectMeta,
    also?: (transaction: Database, id: ObjectId) => Promise<void>,
  ): Promise<FileObject>;
  keepCopy(tenant: TenantId, source: OpenFile, meta: ObjectMeta): Promise<FileObject>;
  replaceCopy(tenant: TenantId, id: ObjectId, source: OpenFile): Promise<FileObject>;
}

export function openCopies(parts: CopyParts): Copies {
  const { db, contents, locks } = parts;

  async function detect(tenant: TenantId, staged: Staged, known: KnownOfType): Promise<string> {
    return detectMediaType(await contents.open(tenant, staged.sha256), known);
  }

  async function register(...[tenant, staged, room, meta, also]: Parameters<Copies['register']>): Promise<FileObject> {
    return contents.keep(tenant, staged, async () => {
      const mimeType =
        meta.mimeType ?? (await detect(tenant, staged, { name: meta.filename, declared: meta.declaredType }));
      const row = newRow(tenant, staged, { ...meta, mimeType }, parts.clock());
      const object = toObject(row);
      await room.settle({ bytes: staged.size, files: 1 }, async (transaction) => {
        await rows.insertObject(transaction, row);
        await parts.announce(transaction, tenant, 'file.created', () => aboutFile(row));
        await also?.(transaction, object.id);
      });
      return object;
    });
  }

  async function replace(tenant: TenantId, row: ObjectRow, staged: Staged, room: Room): Promise<FileObject> {
    const { detected, released } = await contents.keep(tenant, staged, async () => {
      const detected = await detect(tenant, staged, { name: row.filename });
      const content = { sha256: staged.sha256, size: staged.size, mimeType: detected };
      let released: ReleasedContent | null = null;
      await room.settle({ bytes: staged.size - (row.size ?? 0), files: 0 }, async (transaction) => {
        released = await rows.replaceContent(transaction, row.id, content);
      });
      return { detected, released: released as ReleasedContent | null };
    });
    if (released?.orphaned === true) await contents.dropIfOrphaned(tenant, released.sha256);
    return toObject({ ...row, sha256: staged.sha256, size: staged.size, mime_type: detected });
  }

  return {
    register,

    keepCopy: (tenant, source, meta) =>
      withCopy(parts, tenant, source, { bytes: source.entry.size, files: 1 }, (staged, room) =>
        register(tenant, staged, room, meta),
      ),

    // Under the object's own lock, so that its size does not change between the look at it and the charge.
    replaceCopy: (tenant, id, source) =>
      locks.withPathLock(objectLock(tenant), [objectPath(id)], async () => {
        const row = await rows.findObject(db, tenant, id);
        if (row === null || row.status !== 'uploaded') {
          await source.close();
          throw noObject(id);
        }
        const more = { bytes: source.entry.size - (row.size ?? 0), files: 0 };
        return withCopy(parts, tenant, source, more, (staged, room) => replace(tenant, row, staged, room));
      }),
  };
}

/** Copies a file into the staging of the tenant's objects under a reservation, and hands both on. Closes the file. */
async function withCopy<T>(
  { quota, contents }: CopyParts,
  tenant: TenantId,
  source: OpenFile,
  more: { readonly bytes: number; readonly files: number },
  use: (staged: Staged, room: Room) => Promise<T>,
): Promise<T> {
  const account = objectsAccount(tenant);
  const room = new Room(quota, account);
  let staged: Staged | null = null;
  try {
    await quota.afterRecount(account, () => room.cover(more, 'exact'));
    const { staging } = await contents.home(tenant);
    staged = await staging.copy(source, { mode: DEFAULT_PERMISSIONS });
    return await use(staged, room);
  } catch (error) {
    await source.close();
    await staged?.discard();
    await room.release();
    throw error;
  }
}

/** The name of the locks on objects as such; those on their contents are another volume's, taken after these. */
export function objectLock(tenant: TenantId): string {
  return `${tenant}/object-ids`;
}

export function objectPath(id: ObjectId): TreePath {
  // An object id is letters, digits, "_" and "-".
  return id as string as TreePath;
}

function newRow(tenant: TenantId, staged: Staged, meta: ObjectMeta & { mimeType: string }, now: Date): ObjectRow {
  const { expiresAfterSeconds: kept = null } = meta;
  return {
    id: makeObjectId(),
    tenant,
    user_id: meta.userId,
    agent_id: meta.agentId,
    session_id: meta.sessionId,
    run_id: meta.runId ?? null,
    purpose: meta.purpose,
    status: 'uploaded',
    visibility: 'private',
    filename: meta.filename,
    mime_type: meta.mimeType,
    size: staged.size,
    sha256: staged.sha256,
    path: meta.path ?? null,
    created_at: now.getTime(),
    deleted_at: null,
    expected_size: null,
    uploaded_at: now.getTime(),
    slot_until: null,
    expires_at: kept === null ? null : now.getTime() + kept * 1000,
    downloads: 0,
  };
}
