import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FsError } from '../errors.ts';

// A client that takes nothing for this long holds a descriptor for nothing. Long, because what the kernel has buffered
// for a slow but honest client counts as no progress here.
const STALLED_MS = 300_000;

/**
 * Sends a stream as the rest of the answer and ends it. Whatever goes wrong, the source is destroyed and the connection
 * is cut, so that no client takes a part for the whole.
 * @param length the bytes promised in Content-Length, or null where none were
 * @throws what the source failed with, or `conflict` where it ended early
 */
export async function pump(source: Readable, res: ServerResponse, length: number | null): Promise<void> {
  let sent = 0;
  source.on('data', (chunk: Buffer | string) => {
    sent += Buffer.byteLength(chunk);
  });
  // 'data' made it flow; the pipeline decides when.
  source.pause();
  const stopWatching = watchForStall(source, res, () => sent);
  try {
    await pipeline(source, res, { end: false });
    if (length !== null && sent !== length) throw new FsError('conflict', 'the file became shorter while it was sent');
    res.end();
  } catch (error) {
    res.destroy();
    throw error;
  } finally {
    stopWatching();
  }
}

function watchForStall(source: Readable, res: ServerResponse, sent: () => number): () => void {
  let before = -1;
  const timer = setInterval(() => {
    if (sent() === before && res.writableNeedDrain) {
      source.destroy(new FsError('unavailable', 'the client stopped taking the answer'));
    }
    before = sent();
  }, STALLED_MS);
  timer.unref();
  return () => clearInterval(timer);
}
