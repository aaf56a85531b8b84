import type { Readable } from 'node:stream';
import type { Grant, VolumeRef } from '../auth/grant.ts';
import type { TenantId } from '../ids.ts';
import type { Count, Entry } from '../tree/entry.ts';
import type { TreePath } from '../tree/path.ts';
import type { Owner } from '../tree/root.ts';
import type { NewAttributes, NewFileOptions, Staged } from '../tree/staging.ts';
import type { Listing, OpenFile, Page, PlaceMode, WalkBounds } from '../tree/tree.ts';

export interface Volumes {
  /**
   * The only door to a volume. A store comes into being with its tenant; a workspace by `agents.create`, a run, or the
   * first opening for writing. @throws forbidden, not_found (reading a workspace that never was)
   */
  open(grant: Grant, ref: VolumeRef, right: 'read'): Promise<ReadVolume>;
  open(grant: Grant, ref: VolumeRef, right: 'write'): Promise<Volume>;
  /** Counts the disk and mends the ledger (unless `dryRun`), for every part of the tenant. */
  rescan(tenant: TenantId, options: { readonly dryRun: boolean }): Promise<Rescan>;
}

export interface Rescan {
  readonly ledger: Count;
  readonly disk: Count;
  readonly drift: Count;
  readonly repaired: boolean;
}

/** What a conditional write demands of the path: nothing, an entry with one of these versions ('*': any), or no entry. */
export type Expected = { readonly versions: readonly string[] } | { readonly absent: true } | null;

export interface ReadVolume {
  readonly ref: VolumeRef;
  stat(path: TreePath): Promise<Entry>;
  find(path: TreePath): Promise<Entry | null>;
  open(path: TreePath): Promise<OpenFile>;
  list(dir: TreePath, page: Page): Promise<Listing>;
  walk(dir: TreePath, bounds: WalkBounds): AsyncIterable<Entry>;
}

export interface Volume extends ReadVolume {
  /** Reserve, receive, place, settle: the whole of a write. Parents are made. @throws exists, not_found, too_large, quota_exceeded, precondition_failed */
  write(path: TreePath, body: Readable, options: WriteOptions): Promise<Entry>;
  /**
   * Makes a file's new content of its old, and nobody else writes to it in between: it is read, made and placed under the
   * path's lock. Its permissions stay. `change` is called again where the account had to be counted first; the file it is given
   * is open until the new content was read to its end. @throws not_found, is_directory, symlink, special_file, too_large,
   * precondition_failed, quota_exceeded, conflict (a process in the mount changed it meanwhile), what `change` throws
   */
  rewrite<C extends NewContent>(
    path: TreePath,
    change: (file: OpenFile) => Promise<C>,
    options: RewriteOptions,
  ): Promise<{ readonly entry: Entry; readonly content: C }>;
  /** A write in steps, for several files under one reservation that land together or not at all. */
  intake(): Intake;
  /**
   * A directory with all that is in it, made beside the tree and put in place at once. Waits for its turn first.
   * @throws exists where no directory can be; rate_limited, unavailable where too many wait; the signal's reason
   */
  assembly(at: TreePath, signal: AbortSignal): Promise<Assembly>;
  mkdir(dir: TreePath): Promise<{ readonly entry: Entry; readonly created: boolean }>;
  /** Copies a file, link or whole directory, with modes, times and attributes. A directory appears in one step. */
  copy(from: TreePath, to: TreePath, options: RelocateOptions): Promise<Entry>;
  /** Attributes follow. Parents of `to` are made. @throws exists, not_found, invalid_request (onto or into itself), precondition_failed */
  move(from: TreePath, to: TreePath, options: RelocateOptions): Promise<Entry>;
  /** @throws not_found, not_empty, is_directory (a directory without `recursive`), precondition_failed */
  remove(path: TreePath, options: { readonly recursive: boolean; readonly expected?: Expected }): Promise<Count>;
  chmod(path: TreePath, mode: number): Promise<Entry>;
  /** @throws forbidden where the daemon may not */
  chown(path: TreePath, owner: Partial<Owner>): Promise<Entry>;
  utimes(path: TreePath, modifiedAt: Date): Promise<Entry>;
}

export interface RelocateOptions {
  /** A file or link may be replaced by another. */
  readonly overwrite: boolean;
  /** Of the destination; it is looked at besides `overwrite`, not instead. */
  readonly expected?: Expected;
}

export interface WriteOptions {
  readonly mode: PlaceMode;
  readonly maxBytes: number;
  /** Content-Length where the client declared one: reserved at once. */
  readonly declaredBytes?: number | null;
  readonly expected?: Expected;
  /** Permission bits of the new file; default 0o644, or those of the file it replaces. */
  readonly permissions?: number;
}

/** What a file is to hold after a rewrite: these bytes in all, in chunks, or what it holds and more at its end. */
export type NewContent = { readonly bytes: number } & (
  | { readonly chunks: Iterable<Buffer> | AsyncIterable<Buffer> }
  | { readonly appended: Buffer }
);

export interface RewriteOptions {
  /** Neither the file nor its new content may be larger. */
  readonly maxBytes: number;
  readonly expected?: Expected;
}

export interface Placement {
  readonly path: TreePath;
  readonly staged: Staged;
  readonly mode: PlaceMode;
  readonly expected?: Expected;
}

export interface ReceiveOptions {
  readonly maxBytes: number;
  readonly declaredBytes?: number | null;
  readonly permissions?: number;
  /**
   * The path it will probably land at: what the file there is charged counts as room while the body arrives. Only a hint; the
   * commit reserves what is really needed.
   */
  readonly replacing?: TreePath;
}

/** Files received under one growing reservation. End it by `commit` or `abort`, always. */
export interface Intake {
  /** @throws too_large, quota_exceeded */
  receive(body: Readable, options: ReceiveOptions): Promise<Staged>;
  /** A copy of an opened file of any volume or object; closes it. @throws quota_exceeded */
  copy(source: OpenFile, options?: { readonly permissions?: number }): Promise<Staged>;
  /** Reserves this many bytes and files beyond what is reserved, in one go. @throws quota_exceeded */
  reserve(count: Count): Promise<void>;
  /**
   * Flushes all, makes parents, places each, flushes each changed directory once, settles. What can be refused is refused
   * before the first is placed. With a journal, every step is recorded before it is taken and what is replaced is kept aside.
   */
  commit(placements: readonly Placement[], journal?: PlacementJournal): Promise<readonly Entry[]>;
  abort(): Promise<void>;
}

/**
 * A directory put together in staging under one growing reservation, and then put in place. Paths are as seen from it; a
 * parent comes before what is in it. End it by `commit` or `abort`, always. Every verb may throw quota_exceeded.
 */
export interface Assembly {
  /** Made already: then only its attributes change. */
  mkdir(path: TreePath, attributes: NewAttributes): Promise<void>;
  /** Reads the body to its end, or destroys it. What fails late is thrown by a later call. @throws exists */
  write(path: TreePath, body: Readable, options: NewFileOptions): Promise<void>;
  /** A second file with the content of one written before. @throws exists, not_found */
  copy(from: TreePath, to: TreePath, options: NewFileOptions): Promise<void>;
  symlink(path: TreePath, target: string): Promise<void>;
  /**
   * Puts all in place or nothing. Where nothing is at the destination, the whole appears in one step; a directory there
   * takes in what is new to it, and its own files are replaced with `overwrite` only. Never touches what is at `keep`.
   * @throws exists, conflict
   */
  commit(options: { readonly overwrite: boolean; readonly keep: TreePath }): Promise<void>;
  abort(): Promise<void>;
}

/** Told before anything changes what will; see core/journal.ts. */
export interface PlacementJournal {
  readonly owner: string;
  record(steps: readonly JournalStep[]): Promise<void>;
}

export interface JournalStep {
  readonly path: TreePath;
  readonly kind: 'file' | 'directory';
  readonly inode: string;
  readonly aside: string | null;
}

export interface PathAttributes {
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Tags and custom metadata by path. Volume.move, copy and remove keep them true. */
export interface Attributes {
  get(ref: VolumeRef, path: TreePath): Promise<PathAttributes>;
  /** Replaces the fields that are given and returns all; who sets others at the same time takes nothing back. */
  set(ref: VolumeRef, path: TreePath, patch: Partial<PathAttributes>): Promise<PathAttributes>;
  /**
   * The paths at or below `within` that have all of these tags, at least one. What a process removed directly on the disk is still
   * among them: whoever shows them looks at each in the tree.
   */
  tagged(ref: VolumeRef, tags: readonly string[], page: TaggedPage): Promise<Tagged>;
}

export interface TaggedPage {
  readonly within: TreePath;
  /** Only paths after this one, in the answer's own order; null begins at the start. */
  readonly after: TreePath | null;
  readonly limit: number;
}

export interface Tagged {
  readonly paths: readonly TreePath[];
  /** Where the next page begins (`after`), or null at the end. */
  readonly next: TreePath | null;
}
