import type { Readable } from 'node:stream';
import { asDamage } from './faults.ts';

/** Takes a stream's bytes in pieces of any size. One call at a time. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** Between one byte and `maxBytes`, whatever is at hand; null at the end. @throws invalid_request, the stream's errors */
  async some(maxBytes: number): Promise<Buffer | null> {
    while (this.#held.length === 0) {
      const next = await this.#next();
      if (next === null) return null;
      this.#held = next;
    }
    const taken = this.#held.subarray(0, maxBytes);
    this.#held = this.#held.subarray(taken.length);
    return taken;
  }

  /** `bytes` of them, or fewer where the stream ends before. @throws invalid_request, the stream's errors */
  async exactly(bytes: number): Promise<Buffer> {
    const first = await this.some(bytes);
    if (first === null || first.length === bytes) return first ?? Buffer.alloc(0);
    const parts = [first];
    for (let left = bytes - first.length; left > 0; ) {
      const part = await this.some(left);
      if (part === null) break;
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** Gives the stream back. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(): Promise<Buffer | null> {
    try {
      const { value, done } = await this.#chunks.next();
      return done === true ? null : value;
    } catch (error) {
      throw asDamage(error);
    }
  }
}
