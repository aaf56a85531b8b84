import { createHash } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { FsError } from '../errors.ts';
import { type HomeDisk, inStaging } from './disk.ts';
import { diskError, hasCode, orNull } from './disk-error.ts';
import { SliceWriter } from './slice-writer.ts';
import { stagedFile } from './staged.ts';
import type { ReceiveOptions, Staged } from './staging.ts';

const DEFAULT_MODE = 0o644;
const PERMISSION_BITS = 0o777;

/** Reads the body to its end into a new staged file; see Staging.receive. */
export async function receive(disk: HomeDisk, body: Readable, options: ReceiveOptions): Promise<Staged> {
  const name = disk.nextName();
  const path = inStaging(disk, name);
  const mode = (options.mode ?? DEFAULT_MODE) & PERMISSION_BITS;
  const handle = await onDisk(open(path, 'wx', mode));
  try {
    const hash = createHash('sha256');
    const onSlice = (chunks: readonly Buffer[]) => {
      for (const chunk of chunks) hash.update(chunk);
    };
    const writer = new SliceWriter({ open: async () => handle, onSlice });
    await pour(body, writer, options, (bytes) => disk.stagedBytes.add(name, bytes));
    await onDisk(writer.end());
    const isFlushed = (options.flush ?? false) && disk.isDurable;
    return { ...(await onDisk(stagedFile(disk, name, handle, { mode, isFlushed }))), sha256: hash.digest('hex') };
  } catch (error) {
    disk.stagedBytes.forget(name);
    await orNull(unlink(path), 'ENOENT');
    throw error;
  } finally {
    await handle.close();
  }
}

/** How a body is poured into a file that holds `at` bytes already; `maxBytes` and `onBytes` are about the whole file. */
export interface Pouring extends Pick<ReceiveOptions, 'maxBytes' | 'onBytes'> {
  readonly at?: number;
}

/** Reads the body to its end into the writer. Nothing is under way any more when this ends. @throws too_large, quota_exceeded */
export async function pour(
  body: Readable,
  writer: SliceWriter,
  options: Pouring,
  onWritten: (bytes: number) => Promise<void> | void,
): Promise<void> {
  let total = options.at ?? 0;
  try {
    // The body outlives a refusal: whoever answers it decides how much of the rest is drained.
    for await (const chunk of chunksOf(body)) {
      total += chunk.length;
      if (total > options.maxBytes) throw tooLarge(options.maxBytes);
      await options.onBytes?.(total);
      await onDisk(writer.write(chunk));
      await onWritten(chunk.length);
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

/** The kernel's errors in words that fit a file nobody has named yet. */
export async function onDisk<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw diskError(error, 'the file');
  }
}
