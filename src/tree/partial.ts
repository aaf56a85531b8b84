import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { FsError } from '../errors.ts';
import { hashOf } from './copy.ts';
import { flushPath, type HomeDisk, inStaging } from './disk.ts';
import { orNull } from './disk-error.ts';
import { onDisk, pour } from './receive.ts';
import { SliceWriter } from './slice-writer.ts';
import { stagedFile } from './staged.ts';
import type { AppendOptions, PartialFile, Staged } from './staging.ts';

const OWNER = 'upload-';
const SAFE_ID = /^[A-Za-z0-9_-]{1,128}$/;
const PRIVATE = 0o600;
const DEFAULT_MODE = 0o644;
// How much a power cut may take of a body that is still arriving.
const FLUSH_BYTES = 16 * 1024 * 1024;

/** Who owns the partial file of this id: what `Staging.sweep` asks the living for. */
export function partialOwner(id: string): string {
  return OWNER + id;
}

/** The id whose partial file this owner has; null for every other owner. */
export function partialIdOf(owner: string): string | null {
  return owner.startsWith(OWNER) ? owner.slice(OWNER.length) : null;
}

/** See Staging.partial. @throws internal for an id that is no safe name */
export function openPartial(disk: HomeDisk, id: string): PartialFile {
  if (!SAFE_ID.test(id)) throw new FsError('internal', 'a partial file was asked for by an id that is not safe');
  const name = `${partialOwner(id)}~part`;
  const path = inStaging(disk, name);
  return {
    size: () => cut(disk, path, Number.POSITIVE_INFINITY),
    append: (body, options) => append(disk, path, body, options),
    cut: (bytes) => cut(disk, path, bytes),
    staged: ({ mode = DEFAULT_MODE } = {}) => staged(disk, name, mode),
    discard: async () => void (await orNull(unlink(path), 'ENOENT')),
  };
}

async function append(disk: HomeDisk, path: string, body: Readable, options: AppendOptions): Promise<number> {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
  const handle = await onDisk(open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, PRIVATE));
  try {
    const { size } = await handle.stat();
    if (size !== options.at) throw notThere(options.at, size);
    if (size === 0 && disk.isDurable) await onDisk(flushPath(disk.stagingPath));
    return await take(disk, handle, body, options);
  } finally {
    await handle.close();
  }
}

async function take(disk: HomeDisk, handle: FileHandle, body: Readable, options: AppendOptions): Promise<number> {
  const beforeChange = async () => options.beforeChange?.();
  const writer = new SliceWriter({ open: () => beforeChange().then(() => handle), start: options.at });
  const flushing = new Flushing(handle, disk.isDurable, options.at, beforeChange);
  let waiting = 0;
  const onWritten = async (bytes: number): Promise<void> => {
    waiting += bytes;
    if (waiting < FLUSH_BYTES) return;
    waiting = 0;
    await onDisk(writer.end());
    await options.onFlushed?.(await onDisk(flushing.flush()));
  };
  try {
    await pour(body, writer, options, onWritten);
    await onDisk(writer.end());
  } catch (error) {
    // On a full disk this fails too: then what it took is there without a gap, and the rest came in vain.
    await writer.end().catch(() => undefined);
    await onDisk(flushing.flush());
    throw error;
  }
  return onDisk(flushing.flush());
}

/** The flushes of one appending. */
class Flushing {
  readonly #handle: FileHandle;
  readonly #isDurable: boolean;
  readonly #beforeChange: () => Promise<void>;
  #flushedBytes: number;

  constructor(handle: FileHandle, isDurable: boolean, size: number, beforeChange: () => Promise<void>) {
    this.#handle = handle;
    this.#isDurable = isDurable;
    this.#flushedBytes = size;
    this.#beforeChange = beforeChange;
  }

  /** The size, once all of it survives a power cut. */
  async flush(): Promise<number> {
    const { size } = await this.#handle.stat();
    try {
      if (this.#isDurable) await this.#handle.datasync();
    } catch (error) {
      // The kernel tells of a lost page once only: a later flush would say that all is well.
      await this.#beforeChange();
      await this.#handle.truncate(this.#flushedBytes);
      throw error;
    }
    this.#flushedBytes = size;
    return size;
  }
}

async function cut(disk: HomeDisk, path: string, bytes: number): Promise<number> {
  const handle = await orNull(open(path, constants.O_RDWR | constants.O_NOFOLLOW), 'ENOENT');
  if (handle === null) return 0;
  try {
    const { size } = await handle.stat();
    if (size > bytes) await handle.truncate(bytes);
    // Whoever appended may have been killed before it flushed, the name as well as the bytes.
    if (disk.isDurable) {
      await onDisk(handle.datasync());
      await onDisk(flushPath(disk.stagingPath));
    }
    return Math.min(size, bytes);
  } finally {
    await handle.close();
  }
}

async function staged(disk: HomeDisk, name: string, mode: number): Promise<Staged> {
  const handle = await orNull(open(inStaging(disk, name), constants.O_RDONLY | constants.O_NOFOLLOW), 'ENOENT');
  if (handle === null) throw new FsError('not_found', 'what was uploaded is not there any more');
  try {
    const sha256 = await onDisk(hashOf(handle));
    return { ...(await onDisk(stagedFile(disk, name, handle, { mode, isFlushed: disk.isDurable }))), sha256 };
  } finally {
    await handle.close();
  }
}

function notThere(at: number, size: number): FsError {
  return new FsError(
    'conflict',
    `the upload goes on at byte ${size}, not at ${at}; ask where it stands and go on there`,
  );
}
