import type { Readable } from 'node:stream';
import type { Count } from './entry.ts';
import type { TreePath } from './path.ts';
import type { Placeable } from './placeable.ts';
import type { OpenFile, Tree } from './tree.ts';

export type { Placeable } from './placeable.ts';

/** A file that was made and counted, in no tree yet. */
export interface StagedFile extends Placeable {
  readonly kind: 'file';
  readonly size: number;
  /** As Entry.charged. */
  readonly charged: number;
}

/** Bytes received, counted and hashed, in no tree yet. */
export interface Staged extends StagedFile {
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface StagedDirectory extends Placeable {
  readonly kind: 'directory';
  readonly bytes: number;
  readonly files: number;
}

/** Permissions and times of something new. Bits above 0o777 are masked off; a null time is now. */
export interface NewAttributes {
  readonly mode: number;
  readonly modifiedAt: Date | null;
}

export interface NewFileOptions extends NewAttributes {
  /** Awaited with the number of each further bytes before they are kept; throw to refuse. */
  readonly onBytes: (bytes: number) => Promise<void> | void;
}

/** Something of a new directory that can be placed by itself, with all that is in it. */
export interface Part extends Placeable, Count {
  /** As seen from the new directory. */
  readonly path: TreePath;
}

/**
 * A directory being filled in staging, where nobody but its maker can reach it. Paths are as seen from it. Nothing is
 * written through a link: what has no directory made here as its parent is refused, and so is a path that is taken.
 *
 * Every method may throw: `exists`, `not_directory`, `invalid_path` (also where the path would be too long at its
 * destination), `quota_exceeded` (the disk is full).
 */
export interface NewDirectory {
  /** True for a directory that was made here. */
  has(dir: TreePath): boolean;
  /** Made already: then only its attributes change. */
  mkdir(path: TreePath, attributes: NewAttributes): Promise<void>;
  /**
   * Reads the body to its end into a new file, or destroys it. A small file may still be on its way to the disk when this
   * resolves: a later call, or `finish`, throws then.
   */
  write(path: TreePath, body: Readable, options: NewFileOptions): Promise<void>;
  /** A second file with the content of one written before. @throws not_found */
  copy(from: TreePath, to: TreePath, options: NewFileOptions): Promise<void>;
  symlink(path: TreePath, target: string): Promise<void>;
  /** Waits for what is under way, gives directories their attributes and makes all of it survive a power cut. The last change. */
  finish(): Promise<StagedDirectory>;
  /**
   * What lies in `dir`, each to be placed by itself once all is finished, instead of the whole. A directory that forbids
   * its owner to change it is allowed that from now on: moving it is a change.
   */
  parts(dir: TreePath): AsyncIterable<Part>;
  /** Removes what was not placed. Never throws. */
  discard(): Promise<void>;
}

export interface ReceiveOptions {
  /** Refused with too_large beyond this many bytes. */
  readonly maxBytes: number;
  /**
   * Called before bytes beyond those already asked for are written; throw to refuse. Lets a reservation grow with the body.
   * `total` is the bytes received so far including the waiting chunk.
   */
  readonly onBytes?: (total: number) => Promise<void> | void;
  readonly mode?: number;
  /** Makes the content survive a power cut at once, for a file that is placed alone; several are flushed together by `flush`. */
  readonly flush?: boolean;
}

export interface AppendOptions {
  /** How much the file holds by now. */
  readonly at: number;
  /** What the whole file may come to. Refused with too_large beyond it. */
  readonly maxBytes: number;
  /** As ReceiveOptions has it; `total` is what the whole file then comes to. */
  readonly onBytes?: (total: number) => Promise<void> | void;
  /** Told now and then, during a long body, how much of the file survives a power cut by now; throw to stop. */
  readonly onFlushed?: (total: number) => Promise<void> | void;
  /** Awaited right before bytes go to the disk, or go from it; throw where they are not the caller's to change any more. */
  readonly beforeChange?: () => Promise<void> | void;
}

/**
 * A file in staging that arrives in several goes. It belongs to no process: it stays, whoever stops, for as long as the living
 * know its owner (`partialOwner`). That only one caller at a time changes it is the caller's to see to.
 */
export interface PartialFile {
  /** How much is there, and survives a power cut from now on: 0 where nothing came yet. */
  size(): Promise<number>;
  /**
   * Appends the body to its end and returns the size then, durably. Of a body that breaks off or is refused on its way, what
   * came before is kept and flushed too; `size` tells.
   * @throws conflict where the file does not hold `at` bytes; too_large, quota_exceeded, what `onBytes` and the body throw
   */
  append(body: Readable, options: AppendOptions): Promise<number>;
  /** Forgets what came beyond this many bytes. Returns the size then, as `size` does: less where there was less. */
  cut(bytes: number): Promise<number>;
  /**
   * All that came, hashed and flushed. It keeps its name until it is placed, so that a crash before loses nothing.
   * @throws not_found where nothing was ever appended, or it was placed or discarded
   */
  staged(options?: { readonly mode?: number }): Promise<Staged>;
  /** Removes what came. Nothing where nothing is there. */
  discard(): Promise<void>;
}

/** Who owns things in staging. Asked after an item was seen, never before, so that an owner who came meanwhile is known. */
export interface Living {
  has(owner: string): boolean | Promise<boolean>;
}

/**
 * The place beside a tree, on the same filesystem and never mounted, where files are made before they are put in place.
 * Names carry the owner that made them, so that what a dead owner left can be told from a living one's work.
 */
export interface Staging {
  /** Reads the body to its end into a new file. An aborted body or a full disk leaves nothing. @throws too_large, quota_exceeded */
  receive(body: Readable, options: ReceiveOptions): Promise<Staged>;
  /** A copy of an opened file, sharing extents where the disk can, with its mode and mtime; closes `source`. @throws conflict when it changed meanwhile */
  copy(source: OpenFile, options?: { readonly mode?: number }): Promise<Staged>;
  /**
   * What an opened file holds and these bytes after it, with the file's mode and flushed, in a new file; the old one stays open
   * and as it is. Extents are shared where the disk can, holes stay holes. @throws conflict when it changed meanwhile
   */
  extend(source: OpenFile, bytes: Buffer): Promise<StagedFile>;
  symlink(target: string): Promise<Placeable>;
  /** The file of this id that arrives in several goes, also where nothing of it came yet. The id is a safe name of our own making. */
  partial(id: string): PartialFile;
  /**
   * A copy of everything below `dir` (files, directories, links; specials and what vanishes meanwhile are skipped), flushed.
   * `onBytes` is awaited before each further batch is written, with what that batch adds; throw to refuse.
   * The copy of `dir` itself is one file more.
   * @throws conflict (a file keeps changing), too_large (more than a million entries)
   */
  copyDirectory(
    tree: Tree,
    dir: TreePath,
    onBytes: (bytes: number, files: number) => Promise<void>,
  ): Promise<StagedDirectory>;
  /** A new, empty directory that is filled step by step and is to be placed at `at`. End it by `discard`, always. */
  directory(at: TreePath): Promise<NewDirectory>;
  /** Makes the content of these survive a power cut; several at a time. */
  flush(staged: Iterable<Placeable>): Promise<void>;
  /** The next name that `Tree.place` may keep a replaced entry under, owned by `owner` instead of this process. */
  asideName(owner: string): string;
  /** Puts what was kept aside back at `path` of the tree, replacing what is there. False where nothing was kept under the name. */
  restore(tree: Tree, aside: string, path: TreePath): Promise<boolean>;
  /** Removes what was kept aside under the name, once it is not needed for undoing any more. Nothing where nothing is kept. */
  forget(aside: string): Promise<void>;
  /** Removes every item whose owner is not among the living; says how many. */
  sweep(living: Living): Promise<number>;
}
