import { type FileHandle, open } from 'node:fs/promises';
import type { HostPath } from './directory.ts';
import type { HomeDisk } from './disk.ts';
import { SliceWriter } from './slice-writer.ts';
import { settleFile } from './staged.ts';
import type { NewAttributes } from './staging.ts';
import { chargedOf } from './stats.ts';

const PERMISSION_BITS = 0o777;
const OWNER_WRITES = 0o600;

/** The bytes of one new file in a staged directory, as they come. End it by `close`, always. */
export class NewFile {
  readonly #disk: HomeDisk;
  readonly #attributes: NewAttributes;
  readonly #writer: SliceWriter;
  readonly #open: () => Promise<FileHandle>;
  #handle: FileHandle | null = null;

  constructor(disk: HomeDisk, at: HostPath, attributes: NewAttributes) {
    this.#disk = disk;
    this.#attributes = attributes;
    this.#open = async () => {
      this.#handle ??= await open(at, 'wx', (attributes.mode & PERMISSION_BITS) | OWNER_WRITES);
      return this.#handle;
    };
    this.#writer = new SliceWriter({ open: this.#open });
  }

  /** All of it, while it is in memory and nothing is on the disk; else null. */
  whole(): Buffer | null {
    return this.#writer.whole();
  }

  async add(chunk: Buffer): Promise<void> {
    await this.#writer.write(chunk);
  }

  /** Writes what is left and gives it its attributes. Returns what it is charged, as Entry.charged. */
  async end(): Promise<number> {
    await this.#writer.end();
    return settle(this.#disk, await this.#open(), this.#attributes);
  }

  /** Makes it survive a power cut, where this disk is to. After `end`. */
  async flush(): Promise<void> {
    if (this.#disk.isDurable) await this.#handle?.sync();
  }

  /** Waits for the write under way and lets go of the file. */
  async close(): Promise<void> {
    await this.#writer.settle();
    await this.#handle?.close();
  }
}

/** Gives what was just made its times, mode and owner. Returns what it is charged. */
export async function settle(disk: HomeDisk, handle: FileHandle, attributes: NewAttributes): Promise<number> {
  const { mode, modifiedAt } = attributes;
  if (modifiedAt !== null) await handle.utimes(modifiedAt, modifiedAt);
  const stats = await settleFile(disk, handle, mode & PERMISSION_BITS);
  return chargedOf(stats);
}
