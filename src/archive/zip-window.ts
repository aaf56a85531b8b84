import { addAbortSignal } from 'node:stream';
import { damaged } from './faults.ts';
import type { ArchiveSource } from './format.ts';
import { BLOCK_BYTES } from './produced.ts';

/**
 * Reads small pieces of an archive at any place. A block is read ahead each time, so pieces that lie one after the
 * other cost one read together.
 */
export class Window {
  readonly #source: ArchiveSource;
  readonly #signal: AbortSignal;
  #block: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(source: ArchiveSource, signal: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
  }

  /** Exactly these bytes; they are not kept from changing with later reads. @throws invalid_request past the end */
  async read(start: number, length: number): Promise<Buffer> {
    if (!(start >= 0 && start + length <= this.#source.size)) throw damaged('it points to bytes that are not there');
    if (length === 0) return Buffer.alloc(0);
    if (start < this.#start || start + length > this.#start + this.#block.length) {
      this.#block = await this.#load(start, Math.max(length, BLOCK_BYTES));
      this.#start = start;
    }
    const at = start - this.#start;
    if (at + length > this.#block.length) throw damaged('it became shorter while it was read');
    return this.#block.subarray(at, at + length);
  }

  async #load(start: number, length: number): Promise<Buffer> {
    const end = Math.min(start + length, this.#source.size) - 1;
    const parts: Buffer[] = [];
    for await (const part of addAbortSignal(this.#signal, this.#source.stream({ start, end }))) parts.push(part);
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }
}
