import type { Grant } from '../../auth/grant.ts';
import type { ObjectId } from '../../ids.ts';

/** The texts of documents. */
export interface Texts {
  /**
   * The text of an object: its first mebibyte in UTF-8 where there is more. null where it has none, where its bytes are not what
   * its media type says, and where reading it costs too much or would have to wait too long. What is null because the
   * daemon was busy is read when it is asked for again. Resolves within 15 seconds.
   * @throws forbidden, not_found, pending_upload; never because of what a document holds
   */
  of(grant: Grant, id: ObjectId): Promise<string | null>;
}

/** What the reading of one document may take. */
export interface TextLimits {
  /** Larger documents have no text. */
  readonly maxBytes: number;
  /** Of text, in UTF-8. */
  readonly maxTextBytes: number;
  /** From the start of the process on: how long it reads, and has what it read by then; and when it is ended. */
  readonly readMs: number;
  readonly timeMs: number;
  /** Of JavaScript's heap in the process that reads, and of all its memory beyond what Node reserves at its start. */
  readonly heapMiB: number;
  readonly memoryMiB: number;
  /** How long a document waits for its turn. */
  readonly waitMs: number;
}
