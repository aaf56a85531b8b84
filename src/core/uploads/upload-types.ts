import type { Readable } from 'node:stream';
import type { Grant } from '../../auth/grant.ts';
import type { AgentId, ObjectId, UploadId } from '../../ids.ts';
import type { TreePath } from '../../tree/path.ts';
import type { ObjectMeta } from '../objects/object-types.ts';

/** Where an upload finishes: what is at a path is replaced then; a file becomes an object. */
export type UploadTarget =
  | { readonly kind: 'store'; readonly path: TreePath }
  | { readonly kind: 'workspace'; readonly agent: AgentId; readonly path: TreePath }
  | { readonly kind: 'file'; readonly meta: ObjectMeta };

/** What an upload is begun with. */
export interface UploadWanted {
  readonly target: UploadTarget;
  /** How many bytes it will have. */
  readonly length: number;
  readonly maxBytes: number;
  /** What the client says of it, kept word for word. */
  readonly metadata: string;
}

/** An upload as it stands. Sizes in bytes. */
export interface Upload {
  readonly id: UploadId;
  readonly target: UploadTarget;
  readonly metadata: string;
  readonly length: number;
  /** How many bytes are there, durably: where it goes on. */
  readonly offset: number;
  /** True once the whole file is at its destination, durably. */
  readonly isFinished: boolean;
  /** What it has become, where that is an object. */
  readonly object: ObjectId | null;
  /** A while after the last byte: then it goes with its bytes, or is forgotten where it has finished. */
  readonly expiresAt: Date;
}

/** What bytes have to hash to. */
export interface Checksum {
  readonly algorithm: 'sha256' | 'sha1' | 'md5';
  readonly digest: Buffer;
}

/** Bytes to be appended. */
export interface UploadPart {
  /** Where in the file it begins. */
  readonly offset: number;
  readonly body: Readable;
  /** Of the whole part; where it does not fit, or the body breaks off, nothing of the part is kept. */
  readonly checksum: Checksum | null;
}

/**
 * Files that arrive in several goes, whatever breaks between them. One caller at a time works on an upload: whoever comes
 * asks the one before to stop. Every call wants the right to write the target; all else, and what has gone, is not_found.
 */
export interface Uploads {
  /**
   * Reserves the whole length at once, for 24 hours after the last byte.
   * @throws too_large, quota_exceeded; rate_limited where too many are open; forbidden, is_directory, not_directory, symlink, and
   * not_found for an agent without a workspace, as the target can be known to be impossible
   */
  create(grant: Grant, wanted: UploadWanted): Promise<Upload>;
  /** As it stands at this moment. Keeps nobody from working on it. */
  get(grant: Grant, id: UploadId): Promise<Upload>;
  /** Where it goes on; puts in place what is whole. @throws conflict where another does not let go of it; what `append` says of finishing */
  resume(grant: Grant, id: UploadId): Promise<Upload>;
  /**
   * Appends, and with the last byte puts the file in place: when this resolves it is there, durably. Of a body that breaks
   * off, what came is kept. Where only the placing is refused, the upload stays whole, to be placed by a later call.
   * @throws conflict for an offset that is not where it goes on, too_large, checksum_mismatch for a checksum that does not fit,
   * expired; what placing a file there throws
   */
  append(grant: Grant, id: UploadId, part: UploadPart): Promise<Upload>;
  /** Ends it and gives its room back. What has finished stays where it is. */
  remove(grant: Grant, id: UploadId): Promise<void>;
}
