import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  futimesSync,
  openSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import type { HostPath } from './directory.ts';
import type { Owner } from './disk.ts';
import { chargedOf } from './stats.ts';

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OWNER_WRITES = 0o600;
const ALL_MODE_BITS = 0o7777n;

const flush = promisify(fsync);

/** Files to be made in staging. Everything here survives a structured clone. */
export interface Batch {
  readonly files: readonly FileToMake[];
  /** What is in them, one after the other. */
  readonly content: Uint8Array;
  readonly owner: Owner | null;
  readonly isDurable: boolean;
}

export interface FileToMake {
  readonly at: HostPath;
  readonly bytes: number;
  /** Permission bits. */
  readonly mode: number;
  /** Null is now. */
  readonly modifiedAt: Date | null;
}

/** What each file is charged, as Entry.charged, or what the kernel said of the first that failed. */
export type BatchMade =
  | { readonly charged: readonly number[] }
  | { readonly failed: number; readonly error: KernelError };

/** An error loses its code between threads. */
export interface KernelError {
  readonly message: string;
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly syscall?: unknown;
}

/**
 * The body of a thread that makes small files. It may wait for the disk, so each call of the kernel is that and no more,
 * where the event loop would need a trip to another thread for it. Stops at the first file that fails.
 */
export default async function makeFiles({ files, content, owner, isDurable }: Batch): Promise<BatchMade> {
  const charged: number[] = [];
  const flushing: Promise<void>[] = [];
  let current = 0;
  let start = 0;
  try {
    for (const [index, file] of files.entries()) {
      current = index;
      const descriptor = openSync(file.at, NEW, file.mode | OWNER_WRITES);
      try {
        writeAll(descriptor, content.subarray(start, start + file.bytes));
        charged.push(settle(descriptor, file, owner));
      } catch (error) {
        closeSync(descriptor);
        throw error;
      }
      if (isDurable) flushing.push(flush(descriptor).finally(() => closeSync(descriptor)));
      else closeSync(descriptor);
      start += file.bytes;
    }
    await Promise.all(flushing);
    return { charged };
  } catch (error) {
    return { failed: current, error: kernelError(error) };
  } finally {
    await Promise.allSettled(flushing);
  }
}

function kernelError(error: unknown): KernelError {
  const { message, code, errno, syscall } = error as NodeJS.ErrnoException;
  return { message, code, errno, syscall };
}

/** A single write may fall short without an error, as on a disk that is nearly full. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
}

/** Gives a new file its times, mode and owner. Returns what it is charged. */
function settle(descriptor: number, { mode, modifiedAt }: FileToMake, owner: Owner | null): number {
  if (modifiedAt !== null) futimesSync(descriptor, modifiedAt, modifiedAt);
  const stats = fstatSync(descriptor, { bigint: true });
  // The umask may have taken bits away.
  if (Number(stats.mode & ALL_MODE_BITS) !== mode) fchmodSync(descriptor, mode);
  if (owner !== null) fchownSync(descriptor, owner.uid, owner.gid);
  return chargedOf(stats);
}
