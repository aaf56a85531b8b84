import type { Readable } from 'node:stream';
import type { TreePath } from '../tree/path.ts';

/** One thing to put into an archive. */
export interface ArchiveMember {
  /** Below the archive's root, never the root itself. */
  readonly path: TreePath;
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Bytes of a file; 0 for the others. */
  readonly size: number;
  /** Of a symlink, as it is on disk; null for the others. */
  readonly target: string | null;
  /** Permission bits. */
  readonly mode: number;
  readonly modifiedAt: Date;
  /** Exactly `size` bytes of a file. Called at most once, when its turn has come. @throws conflict where it changed */
  open(): Promise<Readable>;
}

/** One thing found in an archive, as the archive claims it: nothing of it is to be believed. */
export interface ArchiveEntry {
  /** The bytes of the name as they stand in the archive; a directory's may end in a slash. */
  readonly name: Buffer;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  /** What the archive claims a file inflates to, in bytes; null where it claims nothing. */
  readonly size: number | null;
  /** The bytes a link points to; null for the others. */
  readonly target: Buffer | null;
  /** Permission bits, or null where the archive has none. */
  readonly mode: number | null;
  readonly modifiedAt: Date | null;
  /** The content of a file. To be read to its end, or destroyed, before the next entry is asked for. @throws invalid_request */
  open(): Promise<Readable>;
}

/** The bytes of an archive that is to be read. */
export interface ArchiveSource {
  readonly size: number;
  /** The bytes from `start` to `end`, both inclusive, by default all. May be called many times, and while another is read. */
  stream(range?: { readonly start: number; readonly end: number }): Readable;
}

export interface PackOptions {
  /** 0 (none) to 9 (smallest); null is the format's own default. */
  readonly level: number | null;
  readonly signal: AbortSignal;
}

/**
 * One format of archives, and nothing else: no limits, no judgement of names, no disk. Memory is bounded whatever the
 * archive says; see test/contract/archive.contract.ts for what each must hold.
 */
export interface ArchiveFormat {
  /** As it is asked for on the wire: `tar.gz`. */
  readonly name: string;
  readonly contentType: string;
  /** Endings of file names, with their dots, the usual one first. */
  readonly extensions: readonly string[];
  /** True where these first bytes (512 of them, or all of a shorter file) can be of this format. */
  recognises(head: Buffer): boolean;
  /** The archive as a stream; members are asked for one after another. Null where this format can only be read. */
  readonly pack: ((members: AsyncIterable<ArchiveMember>, options: PackOptions) => Readable) | null;
  /**
   * The entries in the archive's order. Ending the iteration early gives everything back.
   * @throws invalid_request: not an archive of this format, damaged, cut off, or made to deceive (overlapping entries)
   */
  unpack(source: ArchiveSource, signal: AbortSignal): AsyncIterable<ArchiveEntry>;
}
