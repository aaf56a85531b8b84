import { addAbortSignal, pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createInflateRaw, inflateRaw, inflateRawSync } from 'node:zlib';
import type { Entry } from 'yauzl';
import { asDamage, damaged } from './faults.ts';
import type { ArchiveSource } from './format.ts';
import { BLOCK_BYTES } from './produced.ts';
import type { Window } from './zip-window.ts';

const inflate = promisify(inflateRaw);
/** What inflates to at most this is done in a tenth of a millisecond; zlib's thread would take longer to be reached. */
const TINY_BYTES = 32 * 1024;

/** Where the content of an entry lies, and what its directory claims of it. */
export interface Located {
  readonly entry: Entry;
  readonly start: number;
}

export const STORED = 0;
export const DEFLATED = 8;

/**
 * The content of an entry, held against the size and the checksum that the directory claims, whichever ends first.
 * Small ones come from the window, which has them already.
 * @throws invalid_request where they differ: from here for a small one, from the stream for a large one
 */
export async function openContent(
  source: ArchiveSource,
  window: Window,
  located: Located,
  signal: AbortSignal,
): Promise<Readable> {
  const { entry, start } = located;
  if (entry.compressedSize <= BLOCK_BYTES / 4 && entry.uncompressedSize <= BLOCK_BYTES) {
    const whole = await smallContent(await window.read(start, entry.compressedSize), entry);
    return Readable.from(whole.length === 0 ? [] : [whole], { objectMode: false });
  }
  const raw = addAbortSignal(signal, source.stream({ start, end: start + entry.compressedSize - 1 }));
  const plain =
    entry.compressionMethod === DEFLATED
      ? pipeline(raw, createInflateRaw({ chunkSize: BLOCK_BYTES }), () => undefined)
      : raw;
  return Readable.from(verified(plain, entry), { objectMode: false, highWaterMark: BLOCK_BYTES });
}

async function smallContent(raw: Buffer, entry: Entry): Promise<Buffer> {
  const whole = entry.compressionMethod === DEFLATED ? await inflateAll(raw, entry) : Buffer.from(raw);
  demandClaimed(whole.length, crc32(whole), entry);
  return whole;
}

async function inflateAll(raw: Buffer, entry: Entry): Promise<Buffer> {
  try {
    const most = { maxOutputLength: Math.max(1, entry.uncompressedSize) };
    return Math.max(raw.length, entry.uncompressedSize) <= TINY_BYTES
      ? inflateRawSync(raw, most)
      : await inflate(raw, most);
  } catch (error) {
    const { code } = error as { code?: unknown };
    throw code === 'ERR_BUFFER_TOO_LARGE' ? larger() : asDamage(error);
  }
}

async function* verified(plain: Readable, entry: Entry): AsyncGenerator<Buffer> {
  let bytes = 0;
  let sum = 0;
  try {
    for await (const chunk of plain) {
      bytes += chunk.length;
      if (bytes > entry.uncompressedSize) throw larger();
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (error) {
    throw asDamage(error);
  }
  demandClaimed(bytes, sum, entry);
}

function demandClaimed(bytes: number, sum: number, entry: Entry): void {
  if (bytes > entry.uncompressedSize) throw larger();
  if (bytes < entry.uncompressedSize) throw damaged('an entry is smaller than its directory claims');
  if (sum !== entry.crc32) throw damaged('an entry has another checksum than its directory claims');
}

function larger(): Error {
  return damaged('an entry is larger than its directory claims');
}
