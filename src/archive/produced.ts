import { addAbortSignal, Readable } from 'node:stream';
import { isNativeError } from 'node:util/types';

/** Small writes are gathered to this many bytes: each block costs a reader, or zlib's thread, one hop. */
export const BLOCK_BYTES = 256 * 1024;

export interface Sink {
  /** Resolves when there is room for more. @throws when the stream was destroyed */
  write(chunk: Buffer): Promise<void>;
}

/**
 * A stream of what `produce` writes, started by its first reader. An error of one ends the other, and so does `signal`;
 * the stream closes only after `produce` has come to its end, so whatever that held is given back by then.
 */
export function produced(produce: (sink: Sink, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Readable {
  const stop = new AbortController();
  let producing: Promise<unknown> | null = null;
  let wake: () => void = () => undefined;
  const out = new Readable({
    highWaterMark: BLOCK_BYTES,
    read() {
      wake();
      producing ??= run();
    },
    destroy(error, done) {
      stop.abort(error ?? undefined);
      wake();
      void Promise.resolve(producing).then(() => done(error));
    },
  });
  const push = (block: Buffer) => out.push(block) || new Promise<void>((resolve) => (wake = resolve));
  const run = async () => {
    const blocks = gathering(push, stop.signal);
    try {
      await produce(blocks, stop.signal);
      await blocks.flush();
      out.push(null);
    } catch (error) {
      // Not awaited here: the stream closes when this function has returned.
      out.destroy(isNativeError(error) ? error : new Error(String(error)));
    }
  };
  return addAbortSignal(signal, out);
}

function gathering(push: (block: Buffer) => unknown, signal: AbortSignal): Sink & { flush(): Promise<void> } {
  let waiting: Buffer[] = [];
  let bytes = 0;
  const flush = async () => {
    signal.throwIfAborted();
    if (bytes === 0) return;
    const block = waiting.length === 1 && waiting[0] !== undefined ? waiting[0] : Buffer.concat(waiting, bytes);
    waiting = [];
    bytes = 0;
    await push(block);
    signal.throwIfAborted();
  };
  const write = async (chunk: Buffer) => {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes >= BLOCK_BYTES) await flush();
  };
  return { write, flush };
}
