import type { Readable } from 'node:stream';
import type { Owner } from './disk.ts';
import type { Count, Entry } from './entry.ts';
import type { TreePath } from './path.ts';
import type { Placeable } from './placeable.ts';

/** Bounds of a walk. What lies beyond them is not visited, and the walk says so by `onLimit`. */
export interface WalkBounds {
  /** Levels below the starting directory; 1 is its direct children. */
  readonly depth: number;
  readonly entries: number;
  /** Called once, at the first entry that the bounds cut off. */
  readonly onLimit?: (which: 'depth' | 'entries') => void;
  readonly signal?: AbortSignal;
}

export interface Page {
  /** Only paths after this one, in the listing's own order; null begins at the start. */
  readonly after: TreePath | null;
  readonly limit: number;
  /** Levels to descend; 1 lists one directory. */
  readonly depth: number;
}

export interface Listing {
  readonly entries: readonly Entry[];
  /** Where the next page begins (`after`), or null at the end. */
  readonly next: TreePath | null;
}

/** An opened regular file, pinned: the entry and every byte served come from the same inode. */
export interface OpenFile {
  readonly entry: Entry;
  /**
   * The bytes from `start` to `end`, both inclusive, by default all; fixed by the size at opening. A file that shrinks
   * meanwhile destroys the stream with `conflict`. Ends by closing the file.
   */
  stream(range?: { readonly start: number; readonly end: number }): Readable;
  /** `length` bytes from `start`, all of them within the size at opening. Does not close. @throws conflict when the file shrank */
  slice(start: number, length: number): Promise<Buffer>;
  /** The whole content, for files no larger than `maxBytes`. Does not close. @throws too_large */
  bytes(maxBytes: number): Promise<Buffer>;
  close(): Promise<void>;
}

export interface Placed {
  readonly entry: Entry;
  /** What was there before and is there no more, or null. */
  readonly replaced: Entry | null;
}

export type PlaceMode = 'create' | 'update' | 'upsert';

/**
 * A directory that paths cannot leave, whatever a hostile process does inside it meanwhile. It knows nothing of tenants,
 * quotas or HTTP. Every method parses nothing and follows no link.
 *
 * Every method may throw: `not_found`, `not_directory` (an element of the path is a file), `symlink` (an element is a
 * link), `unreadable`, `invalid_path` (too long for the disk), `unavailable` (no descriptors left).
 */
export interface Tree {
  /** The entry itself; a link is described, never followed. */
  stat(path: TreePath): Promise<Entry>;
  /** As `stat`, with null where nothing is. */
  find(path: TreePath): Promise<Entry | null>;
  /** @throws is_directory, symlink, special_file (never blocks on a FIFO) */
  open(path: TreePath): Promise<OpenFile>;
  /** Ordered by name within each directory, a directory before its content. Memory is bounded by `page.limit`. */
  list(dir: TreePath, page: Page): Promise<Listing>;
  /** Everything below `dir` in no order, links not followed; what vanishes meanwhile is skipped. Memory is bounded. */
  walk(dir: TreePath, bounds: WalkBounds): AsyncIterable<Entry>;
  /** Files, directories, links and their charged bytes below the root, each inode once. */
  count(signal?: AbortSignal): Promise<Count>;
  /**
   * Puts something staged at `path` in one step: readers see the old or the new. The parent must exist. `create` never
   * replaces, `update` demands something there, `upsert` takes either. Replaces files and links, never a directory.
   * With `aside`, what it replaces is first kept in staging under that name (see Staging.restore).
   * Not durable until `flush` of the parent; `staged` is used up.
   * @throws exists, not_found, is_directory
   */
  place(path: TreePath, staged: Placeable, mode: PlaceMode, aside?: string): Promise<Placed>;
  /**
   * Makes the directory and its missing parents. Returns those it made, outermost first: none where it existed already.
   * A new directory and its parent are flushed. @throws exists where a file or link is in the way
   */
  mkdir(dir: TreePath): Promise<readonly TreePath[]>;
  /**
   * Renames. Parents of `to` must exist; both directories are flushed. Never replaces a directory.
   * @throws exists (something is at `to`, and `overwrite` is false or it is a directory), invalid_request (into itself)
   */
  move(from: TreePath, to: TreePath, overwrite: boolean): Promise<Placed>;
  /** Takes the entry away in one step and frees it; a directory needs `recursive` unless empty. On the root it empties it. @throws not_empty */
  remove(path: TreePath, options: { readonly recursive: boolean }): Promise<Count>;
  /** Sets permission bits; setuid, setgid and sticky are masked off. @throws symlink */
  chmod(path: TreePath, mode: number): Promise<Entry>;
  /** Gives the entry to another user, group or both. @throws symlink, forbidden (this process may not) */
  chown(path: TreePath, owner: Partial<Owner>): Promise<Entry>;
  utimes(path: TreePath, modifiedAt: Date): Promise<Entry>;
  /** Removes the empty directory if it is there and empty, else does nothing. For undoing `mkdir`. */
  rmdirIfEmpty(dir: TreePath): Promise<void>;
  /** Makes the names in these directories survive a power cut: one fsync each. Vanished ones are skipped. */
  flush(dirs: Iterable<TreePath>): Promise<void>;
}
