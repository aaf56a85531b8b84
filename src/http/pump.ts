import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FsError } from '../errors.ts';

// A client that takes nothing for this long holds a descriptor for nothing. Long, because what the kernel has buffered
// for a slow but honest client counts as no progress here.
const STALLED_MS = 300_000;

/**
 * Sends a stream as the rest of the answer and ends it. Whatever goes wrong, the source is destroyed; and once anything
 * was sent, the connection is cut, so that no client takes a part for the whole. Before that an error can be answered.
 * @param length the bytes promised in Content-Length, or null where none were
 * @throws what the source failed with, `conflict` where it ended early, `unavailable` where the client stopped reading
 */
export async function pump(
  source: Readable,
  res: ServerResponse,
  length: number | null,
  stalledMs = STALLED_MS,
): Promise<void> {
  let sent = 0;
  source.on('data', (chunk: Buffer | string) => {
    sent += Buffer.byteLength(chunk);
  });
  // 'data' made it flow; the pipeline decides when.
  source.pause();
  const stopWatching = watchForStall(source, res, () => sent, stalledMs);
  try {
    await pipeline(source, res, { end: false });
    if (length !== null && sent !== length) throw new FsError('conflict', 'the file became shorter while it was sent');
    res.end();
  } catch (error) {
    if (res.headersSent) res.destroy();
    throw error;
  } finally {
    stopWatching();
  }
}

function watchForStall(source: Readable, res: ServerResponse, sent: () => number, stalledMs: number): () => void {
  let before = -1;
  const timer = setInterval(() => {
    if (sent() === before && res.writableNeedDrain) {
      source.destroy(new FsError('unavailable', 'the client stopped taking the answer'));
    }
    before = sent();
  }, stalledMs);
  timer.unref();
  return () => clearInterval(timer);
}
