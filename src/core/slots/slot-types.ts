import type { Readable } from 'node:stream';
import type { Grant } from '../../auth/grant.ts';
import type { ObjectId } from '../../ids.ts';
import type { Whose } from '../metering/metering-types.ts';
import type { SignedPath } from '../objects/object-types.ts';

/** Whether other tenants' credentials get download links. */
export type Visibility = 'private' | 'public';

/** An object as a slot, whichever API made it. Sizes in bytes. */
export interface Slot {
  readonly id: ObjectId;
  readonly filename: string | null;
  readonly contentType: string;
  /** Of a public one any tenant's credential gets download links; nobody gets one without a credential. */
  readonly visibility: Visibility;
  readonly status: 'pending_upload' | 'uploaded' | 'error_state' | 'deleted';
  readonly expectedBytes: number | null;
  /** null until it is uploaded. */
  readonly actualBytes: number | null;
  readonly createdAt: Date;
  readonly uploadedAt: Date | null;
  readonly deletedAt: Date | null;
  /** When its time is over: from then on it is not found, and soon after it is removed. null: it stays. */
  readonly expiresAt: Date | null;
  /** How often a download link was asked for. */
  readonly downloads: number;
}

/** What a slot is made for. */
export interface SlotWanted {
  readonly contentType: string;
  readonly filename: string | null;
  readonly visibility: Visibility;
  /** Reserved at once, and demanded of the upload; null: whatever comes, reserved as it arrives. */
  readonly expectedBytes: number | null;
  /** The most that may be uploaded. */
  readonly maxBytes: number;
  /** How long it is kept after it was reserved, filled or not. */
  readonly expiresAfterSeconds?: number | null;
}

/** A slot that was just made. */
export interface ReservedSlot {
  readonly id: ObjectId;
  /** Works no longer than the slot is kept. */
  readonly upload: SignedPath;
  readonly expiresAt: Date | null;
}

/** The bytes of a slot, or a piece of them. */
export interface SlotDelivery {
  readonly body: Readable;
  /** What the body will come to, where the client says so. */
  readonly declaredBytes: number | null;
  /** Which bytes these are, both inclusive, and of how many, where the client says that; null: all of them, from the first. */
  readonly piece: { readonly first: number; readonly last: number; readonly total: number | null } | null;
  /** Told whose the slot is, before any of the bytes are taken. */
  readonly found: (whose: Whose) => void;
}

/** How far the upload of a slot is: all of it, verified and kept; or its first bytes. */
export type SlotProgress = { readonly sha256: string } | { readonly arrivedBytes: number };

export interface SlotPage {
  readonly items: readonly Slot[];
  readonly hasMore: boolean;
}

/**
 * Places for bytes that are uploaded by a signed URL, and all objects as seen from there. A grant bound to a user or an agent
 * sees that one's objects and public ones alone; another tenant's private object is `forbidden`, not `not_found`.
 */
export interface Slots {
  /** Reserves room for what is expected. @throws too_large, quota_exceeded */
  create(grant: Grant, wanted: SlotWanted): Promise<ReservedSlot>;
  /**
   * Takes the bytes that the bearer of an upload link sends. What came of a body that breaks off is kept, to be continued with
   * a piece that begins where it ends; a body without a piece begins anew. Once all is there it is verified and kept, and
   * the link is used up.
   * @throws forbidden for a link that is used up, not_found for a slot that is deleted, conflict (another upload to it is under
   *   way, or the piece does not begin where the bytes end), invalid_request (another length than declared), too_large,
   *   quota_exceeded
   */
  fill(grant: Grant, delivery: SlotDelivery): Promise<SlotProgress>;
  /** How far it is, to continue there; finishes what had all arrived before something broke. @throws as fill */
  progress(grant: Grant, totalBytes: number | null): Promise<SlotProgress>;
  /** A link to the bytes, and one download more. @throws not_found, forbidden, pending_upload */
  download(grant: Grant, id: ObjectId): Promise<SignedPath>;
  /** Those of the grant's tenant that are not deleted, newest first. */
  list(grant: Grant, page: { readonly limit: number; readonly offset: number }): Promise<SlotPage>;
  /** @throws not_found, forbidden */
  setVisibility(grant: Grant, id: ObjectId, visibility: Visibility): Promise<Slot>;
  /** Keeps its row and drops its bytes. Again for one already deleted: nothing. @throws not_found, forbidden */
  remove(grant: Grant, id: ObjectId): Promise<void>;
}
