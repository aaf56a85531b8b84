import type { Grant, VolumeRef } from '../../auth/grant.ts';
import type { TreePath } from '../../tree/path.ts';

/** What happened to a path. `resync`: something may have happened that no other change tells; look at everything again. */
export type ChangeType = 'created' | 'modified' | 'deleted' | 'moved' | 'resync';

/**
 * One change of a volume. That of a directory stands for everything below it: what comes, goes or moves with its directory is
 * not told by itself.
 */
export interface Change {
  /** Opaque to clients: where to go on after it. */
  readonly id: string;
  readonly type: ChangeType;
  readonly path: TreePath;
  /** Where a moved entry was before; else null. */
  readonly from: TreePath | null;
  readonly isDirectory: boolean;
  /** Bytes of a file that is there; else null. */
  readonly size: number | null;
  /** Made through the daemon, or by another process in the tree. */
  readonly origin: 'api' | 'disk';
  /** When the daemon knew. */
  readonly at: Date;
}

export interface ChangesPage {
  /** In order; none where nothing has happened. */
  readonly changes: readonly Change[];
  /** Where to go on: what comes after is everything that `changes` did not tell. */
  readonly next: string;
  /** True when one of them is a `resync`. */
  readonly resync: boolean;
}

/**
 * What happens in volumes: through the daemon, whichever process does it, and directly on the disk while somebody listens
 * (and for minutes after). Every change is told at least once, after it can be seen, in one order for each volume; where one
 * may be missing, a `resync` says so. Nothing is recorded of a volume for which nobody asked within the retention.
 */
export interface Changes {
  /**
   * The changes after `since` (null: from now on), and then what happens, until the volume is removed or the signal aborts. The
   * first page comes at once and says where it begins; an empty one every few seconds shows that it lives. Pages are read
   * as they are taken, so a slow listener costs no memory.
   * @throws not_found, forbidden; invalid_request where `since` is no id; rate_limited where too many listen
   */
  follow(grant: Grant, ref: VolumeRef, since: string | null, signal: AbortSignal): Promise<AsyncIterable<ChangesPage>>;
  /** Up to `limit` changes after `since`; null: none, and where to begin. @throws not_found, forbidden, invalid_request */
  since(grant: Grant, ref: VolumeRef, since: string | null, limit: number): Promise<ChangesPage>;
}
