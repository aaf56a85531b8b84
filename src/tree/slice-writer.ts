import type { FileHandle } from 'node:fs/promises';
import { SLICE_BYTES } from './opened-file.ts';

// Tiny chunks are put together, so that a body of single bytes costs no more memory than any other.
const MAX_CHUNKS = 256;

export interface SliceTarget {
  /** Where the bytes go, asked for right before each slice is written: until the first, nothing needs to be there. */
  readonly open: () => Promise<FileHandle>;
  /** Where in the file the first byte goes; by default at its beginning. */
  readonly start?: number;
  /** Told of each slice while it is written. */
  readonly onSlice?: (chunks: readonly Buffer[]) => void;
}

/** Writes a file from its beginning, or on from its end, in slices, one write under way while the next slice fills. */
export class SliceWriter {
  readonly #target: SliceTarget;
  #chunks: Buffer[] = [];
  #waiting = 0;
  #position: number;
  #hasSent = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(target: SliceTarget) {
    this.#target = target;
    this.#position = target.start ?? 0;
  }

  /** All of it, while nothing was written yet; else null. */
  whole(): Buffer | null {
    return this.#hasSent ? null : Buffer.concat(this.#chunks);
  }

  async write(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    if (this.#waiting >= SLICE_BYTES) await this.#send();
    else if (this.#chunks.length >= MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  /** Writes what is left; more may follow. */
  async end(): Promise<void> {
    await this.#send();
    await this.#writing;
  }

  /** Waits for the write under way, so that the file can be closed. Never throws. */
  async settle(): Promise<void> {
    await this.#writing.catch(() => undefined);
  }

  async #send(): Promise<void> {
    const chunks = this.#chunks;
    this.#hasSent = true;
    this.#chunks = [];
    this.#waiting = 0;
    await this.#writing;
    const handle = await this.#target.open();
    this.#writing = this.#writeAll(handle, chunks);
    // Thrown by the next send; until then it is nobody's unhandled rejection.
    this.#writing.catch(() => undefined);
    this.#target.onSlice?.(chunks);
  }

  async #writeAll(handle: FileHandle, chunks: readonly Buffer[]): Promise<void> {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (length === 0) return;
    const start = this.#position;
    this.#position += length;
    const { bytesWritten } = await handle.writev(chunks, start);
    if (bytesWritten < length)
      await writeAll(handle, Buffer.concat(chunks).subarray(bytesWritten), start + bytesWritten);
  }
}

/** Writes every byte: a single write may fall short without an error, as on a disk that is nearly full. */
export async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
