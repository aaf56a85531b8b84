import { type FileHandle, open } from 'node:fs/promises';
import type { HostPath } from './directory.ts';
import type { HomeDisk } from './disk.ts';
import { SLICE_BYTES } from './opened-file.ts';
import { writeAll } from './receive.ts';
import { settleFile } from './staged.ts';
import type { NewAttributes } from './staging.ts';
import { chargedOf } from './stats.ts';

const PERMISSION_BITS = 0o777;
const OWNER_WRITES = 0o600;
// Tiny chunks are put together, so that a body of single bytes costs no more memory than any other.
const MAX_CHUNKS = 64;

/** The bytes of one new file in a staged directory, as they come. End it by `close`, always. */
export class NewFile {
  readonly #disk: HomeDisk;
  readonly #at: HostPath;
  readonly #attributes: NewAttributes;
  #handle: FileHandle | null = null;
  #chunks: Buffer[] = [];
  #waiting = 0;
  #position = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(disk: HomeDisk, at: HostPath, attributes: NewAttributes) {
    this.#disk = disk;
    this.#at = at;
    this.#attributes = attributes;
  }

  /** All of it, while it is in memory and nothing is on the disk; else null. */
  whole(): Buffer | null {
    return this.#handle === null ? Buffer.concat(this.#chunks) : null;
  }

  /** Once a slice is full it is written, while the next one fills. */
  async add(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    if (this.#waiting >= SLICE_BYTES) await this.#send();
    else if (this.#chunks.length >= MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  /** Writes what is left and gives it its attributes. Returns what it is charged, as Entry.charged. */
  async end(): Promise<number> {
    await this.#send();
    await this.#writing;
    return settle(this.#disk, await this.#opened(), this.#attributes);
  }

  /** Makes it survive a power cut, where this disk is to. After `end`. */
  async flush(): Promise<void> {
    if (this.#disk.isDurable) await this.#handle?.sync();
  }

  /** Waits for the write under way and lets go of the file. */
  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#handle?.close();
  }

  async #opened(): Promise<FileHandle> {
    this.#handle ??= await open(this.#at, 'wx', (this.#attributes.mode & PERMISSION_BITS) | OWNER_WRITES);
    return this.#handle;
  }

  async #send(): Promise<void> {
    const bytes = Buffer.concat(this.#chunks);
    const handle = await this.#opened();
    this.#chunks = [];
    this.#waiting = 0;
    await this.#writing;
    this.#writing = writeAll(handle, bytes, this.#position);
    this.#position += bytes.length;
    // Thrown by whoever waits for it; until then it is nobody's unhandled rejection.
    this.#writing.catch(() => undefined);
  }
}

/** Gives what was just made its times, mode and owner. Returns what it is charged. */
export async function settle(disk: HomeDisk, handle: FileHandle, attributes: NewAttributes): Promise<number> {
  const { mode, modifiedAt } = attributes;
  if (modifiedAt !== null) await handle.utimes(modifiedAt, modifiedAt);
  const stats = await settleFile(disk, handle, mode & PERMISSION_BITS);
  return chargedOf(stats);
}
