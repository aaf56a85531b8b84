import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Counts the bytes of an answer's body as they are handed to the connection, without headers and framing. What a client that went
 * away did not take of the last pieces is counted with them: nobody on this side knows how far they came.
 */
export function countAnswer(req: IncomingMessage, res: ServerResponse): () => number {
  let bytes = 0;
  const { write, end } = res;
  // Node's `end` does not call the `write` of the instance, so nothing is counted twice.
  res.write = (...args: readonly unknown[]) => {
    bytes += sizeOf(args);
    return Reflect.apply(write, res, args);
  };
  res.end = (...args: readonly unknown[]) => {
    bytes += sizeOf(args);
    return Reflect.apply(end, res, args);
  };
  // Node leaves out what an answer to HEAD, a 204 or a 304 was given.
  return () => (req.method === 'HEAD' || res.statusCode === 204 || res.statusCode === 304 ? 0 : bytes);
}

function sizeOf([chunk, encoding]: readonly unknown[]): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, isEncoding(encoding) ? encoding : 'utf8');
  return chunk instanceof Uint8Array ? chunk.length : 0;
}

function isEncoding(value: unknown): value is BufferEncoding {
  return typeof value === 'string' && Buffer.isEncoding(value);
}
