import { constants, crc32, createDeflateRaw, type DeflateRaw } from 'node:zlib';

/** Content of at most this many bytes is compressed in memory. */
export const SMALL_BYTES = 1 << 20;
/** Larger than anything `SMALL_BYTES` can become, so that zlib never waits for a reader. */
const OUTPUT_BYTES = 2 * SMALL_BYTES;
/** Threads of Node's pool that one archive may keep busy: file calls of everybody else need the others. */
const DEFLATERS = 2;
const STEP_BYTES = 1 << 18;

/** Content as it is to stand in a zip. */
export interface Compressed {
  readonly bytes: Buffer;
  readonly isDeflated: boolean;
  readonly crc: number;
}

export function stored(bytes: Buffer): Compressed {
  return { bytes, isDeflated: false, crc: crc32(bytes) };
}

/**
 * Compresses small files, a few at a time. zlib's memory is made once and used again: for most files making it
 * would cost more than they do.
 */
export class Deflaters {
  readonly #deflaters: DeflateRaw[];
  /** When each will have done what it was given. */
  readonly #busy: Promise<unknown>[] = [];
  #next = 0;

  /** @param level of zlib; 0 stores everything */
  constructor(level: number) {
    const options = { level, memLevel: 9, chunkSize: STEP_BYTES, highWaterMark: OUTPUT_BYTES };
    this.#deflaters = level === 0 ? [] : Array.from({ length: DEFLATERS }, () => createDeflateRaw(options));
  }

  /** Stored where compressing gains nothing. Never rejects before `close`, and not for its content. */
  async compress(bytes: Buffer): Promise<Compressed> {
    const turn = this.#next++ % DEFLATERS;
    const deflater = this.#deflaters[turn];
    if (deflater === undefined || bytes.length === 0) return stored(bytes);
    const deflated = (this.#busy[turn] ?? Promise.resolve()).then(() => deflate(deflater, bytes));
    this.#busy[turn] = deflated.catch(() => undefined);
    const smaller = await deflated;
    return smaller.length < bytes.length ? { bytes: smaller, isDeflated: true, crc: crc32(bytes) } : stored(bytes);
  }

  close(): void {
    for (const deflater of this.#deflaters) deflater.destroy();
  }
}

function deflate(deflater: DeflateRaw, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    deflater.once('close', reject);
    deflater.write(bytes);
    deflater.flush(constants.Z_FINISH, () => {
      // Closed meanwhile: whoever did that wants nothing of it.
      if (deflater.destroyed) return;
      deflater.off('close', reject);
      const deflated: Buffer = deflater.read() ?? Buffer.alloc(0);
      deflater.reset();
      resolve(deflated);
    });
  });
}
