import type { Grant } from '../../auth/grant.ts';
import type { ObjectMark } from '../../db/object-lists.ts';
import type { ObjectRow } from '../../db/schema.ts';
import { FsError } from '../../errors.ts';
import type { AgentId, ObjectId, RunId } from '../../ids.ts';
import type { FileObject, ObjectFilter, ObjectMeta } from '../core.ts';
import { decodeCursor, strangeCursor } from '../paging.ts';
import { storedPath } from '../stored-path.ts';

/** An object as core knows it, from its row. @throws pending_upload, not_found for one that has no content any more */
export function toObject(row: ObjectRow): FileObject {
  if (row.status === 'pending_upload') throw pendingUpload(row.id);
  if (row.status !== 'uploaded' || row.sha256 === null || row.size === null) throw noObject(row.id);
  return {
    id: row.id as ObjectId,
    filename: row.filename,
    mimeType: row.mime_type,
    size: row.size,
    purpose: row.purpose,
    userId: row.user_id,
    agentId: row.agent_id as AgentId | null,
    sessionId: row.session_id,
    runId: row.run_id as RunId | null,
    path: row.path === null ? null : storedPath(row.path),
    sha256: row.sha256,
    createdAt: new Date(row.created_at),
    expiresAt: row.expires_at === null ? null : new Date(row.expires_at),
  };
}

/** Whether its time is over: nobody is shown it any more, and the sweeper takes it. */
export function isExpired(row: Pick<ObjectRow, 'expires_at'>, now: Date): boolean {
  return row.expires_at !== null && row.expires_at <= now.getTime();
}

export function noObject(id: string): FsError {
  return new FsError('not_found', 'no file has this id', { path: id });
}

export function pendingUpload(id: string): FsError {
  return new FsError('pending_upload', `the content of file ${id} has not been uploaded yet`, { path: id });
}

const MARK = /^(\d{1,16}) ([A-Za-z0-9_-]{1,128})$/;

/** Where a page begins, from the text that `markOf` and `pageOf` made of the object before it. @throws invalid_request */
export function parseMark(cursor: string | null): ObjectMark | null {
  const text = decodeCursor(cursor);
  if (text === null) return null;
  const [, createdAt, id] = MARK.exec(text) ?? [];
  if (createdAt === undefined || id === undefined) throw strangeCursor();
  return { createdAt: Number(createdAt), id };
}

/** An object's place in a list, which is there also when the object is gone. */
export function markOf({ createdAt, id }: FileObject): string {
  return `${createdAt.getTime()} ${id}`;
}

/** Whether a grant bound to a user or an agent reaches this object; one that is not bound reaches all of its tenant. */
export function reaches(grant: Grant, row: Pick<ObjectRow, 'tenant' | 'user_id' | 'agent_id'>): boolean {
  if (row.tenant !== grant.tenant) return false;
  if (grant.user !== null && row.user_id !== grant.user) return false;
  return grant.agent === null || row.agent_id === grant.agent;
}

/** The filter narrowed to what the grant reaches; null where that leaves nothing. */
export function narrowTo(grant: Grant, filter: ObjectFilter): ObjectFilter | null {
  if (grant.user !== null && filter.userId !== undefined && filter.userId !== grant.user) return null;
  if (grant.agent !== null && filter.agentId !== undefined && filter.agentId !== grant.agent) return null;
  return {
    ...filter,
    ...(grant.user === null ? {} : { userId: grant.user }),
    ...(grant.agent === null ? {} : { agentId: grant.agent }),
  };
}

/**
 * What a client says of a new object, with what its grant is bound to filled in.
 * @throws forbidden for another user's or agent's file, and for an output that only capture makes
 */
export function claimMeta(grant: Grant, meta: ObjectMeta): ObjectMeta {
  if (grant.user !== null && meta.userId !== null && meta.userId !== grant.user) {
    throw new FsError('forbidden', 'this credential is bound to one user and makes files for no other');
  }
  if (grant.agent !== null && meta.agentId !== null && meta.agentId !== grant.agent) {
    throw new FsError('forbidden', 'this credential is bound to one agent and makes files for no other');
  }
  if (grant.agent !== null && meta.purpose === 'agent_output') {
    throw new FsError(
      'forbidden',
      'a credential bound to an agent may not make agent_output; the finish of its run does',
    );
  }
  return { ...meta, userId: meta.userId ?? grant.user, agentId: meta.agentId ?? grant.agent };
}
