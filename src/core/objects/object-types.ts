import type { Readable } from 'node:stream';
import type { Grant } from '../../auth/grant.ts';
import type { AgentId, ObjectId, RunId, TenantId } from '../../ids.ts';
import type { TreePath } from '../../tree/path.ts';
import type { Staged } from '../../tree/staging.ts';
import type { OpenFile } from '../../tree/tree.ts';
import type { PageOf, PageRequest } from '../page-types.ts';

/** What a file is for: what a user gave to agents, what a run made, or what is indexed elsewhere. */
export type Purpose = 'agent_input' | 'agent_output' | 'knowledge';

/** A file by id, whose content is there. */
export interface FileObject {
  readonly id: ObjectId;
  readonly filename: string | null;
  readonly mimeType: string;
  /** In bytes. */
  readonly size: number;
  readonly purpose: Purpose | null;
  readonly userId: string | null;
  readonly agentId: AgentId | null;
  readonly sessionId: string | null;
  readonly runId: RunId | null;
  readonly path: TreePath | null;
  readonly sha256: string;
  readonly createdAt: Date;
  /** When its time is over: from then on it is not found, and soon after it is removed. null: it stays. */
  readonly expiresAt: Date | null;
}

/** What a file is made with besides its bytes. */
export interface ObjectMeta {
  readonly filename: string | null;
  /** Detected from the bytes, then the name, where null. */
  readonly mimeType?: string | null;
  /** What its maker says it is: heeded where the bytes, then the name, leave it open. */
  readonly declaredType?: string | null;
  readonly purpose: Purpose | null;
  readonly userId: string | null;
  readonly agentId: AgentId | null;
  readonly sessionId: string | null;
  readonly runId?: RunId | null;
  readonly path?: TreePath | null;
  /** How long it is kept after it was made. */
  readonly expiresAfterSeconds?: number | null;
}

/** Which files a list shows; conditions combine with AND. */
export interface ObjectFilter {
  readonly userId?: string;
  readonly purpose?: Purpose;
  readonly agentId?: AgentId;
  readonly sessionId?: string;
  readonly runId?: RunId;
}

/** Id-addressed files. A grant bound to a user or an agent sees and makes only that one's; all else is not_found. */
export interface Objects {
  /** Receives into the tenant's object staging under a reservation. End it by `keep` or `discard`. */
  receive(
    tenant: TenantId,
    body: Readable,
    options: { readonly maxBytes: number; readonly declaredBytes?: number | null },
  ): Promise<ReceivedObject>;
  /** @throws not_found, pending_upload */
  get(grant: Grant, id: ObjectId): Promise<FileObject>;
  /** @throws as get */
  open(grant: Grant, id: ObjectId): Promise<OpenObject>;
  /**
   * Newest first. What comes and goes between two pages moves nothing of the others: a cursor is a place in time.
   * @throws invalid_request for a cursor that is none
   */
  list(grant: Grant, filter: ObjectFilter, page: PageRequest): Promise<PageOf<FileObject>>;
  /** Again for one already deleted: nothing. @throws not_found, pending_upload */
  remove(grant: Grant, id: ObjectId): Promise<void>;
  /** A URL path and query under `/signed` that serves the object until `expiresAt`, which is not after the object's own. */
  link(grant: Grant, id: ObjectId, ttlSeconds: number): Promise<ObjectLink>;
}

/** A URL path and query under `/signed` that works until `expiresAt`. */
export interface SignedPath {
  readonly path: string;
  readonly expiresAt: Date;
}

export interface ObjectLink extends SignedPath {
  readonly object: FileObject;
}

/** Told of every object that a client made, once it is there. */
export type OnKept = (tenant: TenantId, object: FileObject) => Promise<void>;

/** An object with its bytes, to be closed. */
export interface OpenObject {
  readonly object: FileObject;
  readonly file: OpenFile;
  /** Where the bytes lie, as seen from the data root. */
  readonly place: string;
}

/** Bytes that are staged, under a reservation, and no file yet. */
export interface ReceivedObject {
  readonly staged: Staged;
  /**
   * Registers it: durable, its content kept once, with what the grant is bound to filled in. An `agent_input` of a user with a live
   * run is delivered into that workspace. Where it fails it is discarded. @throws forbidden for what the grant may not make
   */
  keep(grant: Grant, meta: ObjectMeta): Promise<FileObject>;
  discard(): Promise<void>;
}
