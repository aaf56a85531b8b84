import { createHash } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { FsError } from '../errors.ts';
import { type HomeDisk, inStaging } from './disk.ts';
import { diskError, hasCode, orNull } from './disk-error.ts';
import { SLICE_BYTES } from './opened-file.ts';
import { stagedFile } from './staged.ts';
import type { ReceiveOptions, Staged } from './staging.ts';

const DEFAULT_MODE = 0o644;
const PERMISSION_BITS = 0o777;
// Tiny chunks are put together, so that a body of single bytes costs no more memory than any other.
const MAX_CHUNKS = 256;

/** Reads the body to its end into a new staged file; see Staging.receive. */
export async function receive(disk: HomeDisk, body: Readable, options: ReceiveOptions): Promise<Staged> {
  const name = disk.nextName();
  const path = inStaging(disk, name);
  const mode = (options.mode ?? DEFAULT_MODE) & PERMISSION_BITS;
  const handle = await onDisk(open(path, 'wx', mode));
  try {
    const writer = new FileWriter(handle);
    await pour(body, writer, options, (bytes) => disk.stagedBytes.add(name, bytes));
    const sha256 = await writer.end();
    const isFlushed = (options.flush ?? false) && disk.isDurable;
    return { ...(await onDisk(stagedFile(disk, name, handle, { mode, isFlushed }))), sha256 };
  } catch (error) {
    disk.stagedBytes.forget(name);
    await orNull(unlink(path), 'ENOENT');
    throw error;
  } finally {
    await handle.close();
  }
}

async function pour(
  body: Readable,
  writer: FileWriter,
  options: ReceiveOptions,
  onWritten: (bytes: number) => void,
): Promise<void> {
  let total = 0;
  try {
    // The body outlives a refusal: whoever answers it decides how much of the rest is drained.
    for await (const chunk of chunksOf(body)) {
      total += chunk.length;
      if (total > options.maxBytes) throw tooLarge(options.maxBytes);
      await options.onBytes?.(total);
      await writer.write(chunk);
      onWritten(chunk.length);
    }
  } finally {
    await writer.settle();
  }
}

async function* chunksOf(body: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    }
  } catch (error) {
    if (!hasCode(error, 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'EPIPE')) throw error;
    throw new FsError('invalid_request', 'the upload was cut off before its end; send it again', {}, error);
  }
}

/** The error for a body that passes its limit. */
function tooLarge(maxBytes: number): FsError {
  return new FsError('too_large', `the file is larger than the ${maxBytes} bytes accepted here`, { limit: maxBytes });
}

/** Appends to a new file in slices, one write under way while the next slice fills, and hashes what it writes. */
class FileWriter {
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  #chunks: Buffer[] = [];
  #waiting = 0;
  #position = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    if (this.#waiting >= SLICE_BYTES) await this.#send();
    else if (this.#chunks.length >= MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  /** Writes what is left; lower-case hex of the SHA-256 of all. @throws quota_exceeded where the disk is full */
  async end(): Promise<string> {
    await this.#send();
    await this.#writing;
    return this.#hash.digest('hex');
  }

  /** Waits for the write under way, so that the file can be closed. Never throws. */
  async settle(): Promise<void> {
    await this.#writing.catch(() => undefined);
  }

  async #send(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#waiting = 0;
    await this.#writing;
    this.#writing = onDisk(this.#writeAll(chunks));
    // Thrown by the next send; until then it is nobody's unhandled rejection.
    this.#writing.catch(() => undefined);
    for (const chunk of chunks) this.#hash.update(chunk);
  }

  async #writeAll(chunks: readonly Buffer[]): Promise<void> {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (length === 0) return;
    const start = this.#position;
    this.#position += length;
    const { bytesWritten } = await this.#handle.writev(chunks, start);
    if (bytesWritten < length)
      await writeAll(this.#handle, Buffer.concat(chunks).subarray(bytesWritten), start + bytesWritten);
  }
}

/** Writes every byte: a single write may fall short without an error, as on a disk that is nearly full. */
export async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** The kernel's errors in words that fit a file nobody has named yet. */
export async function onDisk<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw diskError(error, 'the file');
  }
}
