import { randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { FsError } from './errors.ts';

/** Ids are branded: a function that wants a TenantId cannot be given an AgentId by mistake. */
export type TenantId = string & { readonly __tenantId: true };
export type AgentId = string & { readonly __agentId: true };
export type ObjectId = string & { readonly __objectId: true };
export type RunId = string & { readonly __runId: true };
export type UploadId = string & { readonly __uploadId: true };

const TENANT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const AGENT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;
const OPAQUE = /^[A-Za-z0-9_-]{1,128}$/;

/** null where the text is no tenant id: what that means (401, 400) depends on where it came from. */
export function parseTenantId(text: string): TenantId | null {
  return TENANT.test(text) ? (text as TenantId) : null;
}

/** @throws invalid_request */
export function parseAgentId(text: string): AgentId {
  if (!AGENT.test(text)) {
    throw new FsError(
      'invalid_request',
      'an agent id is 1 to 128 letters, digits, "_" or "-", and begins with a letter or digit',
    );
  }
  return text as AgentId;
}

/** An id nobody made is simply not found. @throws not_found */
export function parseObjectId(text: string): ObjectId {
  if (!OPAQUE.test(text)) throw new FsError('not_found', 'no file has this id');
  return text as ObjectId;
}

/** @throws not_found */
export function parseRunId(text: string): RunId {
  if (!OPAQUE.test(text)) throw new FsError('not_found', 'no run has this id');
  return text as RunId;
}

/** @throws not_found */
export function parseUploadId(text: string): UploadId {
  if (!OPAQUE.test(text)) throw new FsError('not_found', 'no upload has this id');
  return text as UploadId;
}

/** Ordered by time of making, so newest-first lists can be paged by id. */
export function makeObjectId(): ObjectId {
  return timedId('file') as ObjectId;
}

/** A slot's id is an object's, in the form that its API documents: a UUID. Ordered by time of making. */
export function makeSlotId(): ObjectId {
  return uuidv7() as ObjectId;
}

/** Ordered by time of making. */
export function makeRunId(): RunId {
  return timedId('run') as RunId;
}

/** Ordered by time of making. */
export function makeUploadId(): UploadId {
  return timedId('upload') as UploadId;
}

export function makeAgentId(): AgentId {
  return `agent_${randomUUID().replaceAll('-', '')}` as AgentId;
}

/** Of what webhooks are told of. Ordered by time of making, so that the oldest are known by it. */
export function makeEventId(): string {
  return timedId('evt');
}

function timedId(prefix: string): string {
  return `${prefix}_${uuidv7().replaceAll('-', '')}`;
}
