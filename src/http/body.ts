import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { FsError } from '../errors.ts';
import { cutOff } from './errors.ts';

/** The slowest an upload may be: this many bytes in every window once its body has begun. */
export interface UploadFloor {
  readonly bytes: number;
  readonly windowMs: number;
}

/** 1 KiB a second, averaged over half a minute. A total time limit would kill long honest uploads. */
export const UPLOAD_FLOOR: UploadFloor = { bytes: 30 * 1024, windowMs: 30_000 };

const DRAIN_BYTES = 1024 * 1024;
const DRAIN_MS = 2_000;
const LINGER_MS = 2_000;

/** The body of one request, which outlives whoever reads it: a reader that gives up does not take the connection along. */
export interface IncomingBody {
  /** Bytes handed on so far. */
  readonly received: number;
  /**
   * The bytes; the same stream each time. Its first read sends the `100 Continue` that the client may wait for, and
   * starts to demand the floor: what is refused before that is never sent. Destroying it leaves the connection open for the answer. A client that goes away
   * destroys it with `invalid_request`.
   */
  stream(): Readable;
  /**
   * Call before answering. Reads away a little of what the client still sends, so that it comes to reading the answer;
   * where that does not reach the end, the connection closes after the answer, and not before the client could read it.
   */
  settle(): Promise<void>;
}

/** Takes charge of a request's body. */
export function openBody(req: IncomingMessage, res: ServerResponse, floor: UploadFloor): IncomingBody {
  const count = { received: 0, heldBack: false, wanted: false };
  let stream: Readable | null = null;
  // A connection cut without a reader would be an uncaught error.
  req.on('error', () => stream?.destroy(cutOff()));
  return {
    get received() {
      return count.received;
    },
    stream() {
      if (stream !== null) return stream;
      const body = detachedFrom(req, count, () => {
        if (awaitsContinue(req)) res.writeContinue();
        demandFloor(body, count, floor);
      });
      stream = body;
      return body;
    },
    async settle() {
      stream?.destroy();
      if (!hasBody(req) || req.complete) {
        req.resume();
        return;
      }
      const isAwaiting = !count.wanted && awaitsContinue(req);
      if (!isAwaiting && (await drained(req))) return;
      res.setHeader('connection', 'close');
      lingerOnClose(req);
    },
  };
}

/** True when the request announces a body. */
export function hasBody(req: IncomingMessage): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}

function awaitsContinue(req: IncomingMessage): boolean {
  return /^100-continue$/i.test(req.headers.expect ?? '');
}

interface Count {
  received: number;
  /** True when a slow reader, not the client, held the bytes back since the last look. */
  heldBack: boolean;
  /** True once the stream was read from. */
  wanted: boolean;
}

function detachedFrom(req: IncomingMessage, count: Count, onWanted: () => void): Readable {
  const onData = (chunk: Buffer) => {
    count.received += chunk.length;
    if (body.push(chunk)) return;
    count.heldBack = true;
    req.pause();
  };
  const onEnd = () => body.push(null);
  // 'close' without 'end' is a client that went away.
  const onClose = () => {
    if (!req.readableEnded) body.destroy(cutOff());
  };
  const body = new Readable({
    read: () => {
      if (!count.wanted) {
        count.wanted = true;
        onWanted();
      }
      if (req.listenerCount('data') === 0) req.on('data', onData);
      req.resume();
    },
    destroy: (error, done) => {
      req.off('data', onData).off('end', onEnd).off('close', onClose);
      req.pause();
      done(error);
    },
  });
  // Who never reads must not bring the process down by not listening.
  body.on('error', () => {});
  req.once('end', onEnd);
  req.once('close', onClose);
  if (req.destroyed && !req.readableEnded) process.nextTick(onClose);
  return body;
}

function demandFloor(body: Readable, count: Count, floor: UploadFloor): void {
  let before = 0;
  const timer = setInterval(() => {
    const arrived = count.received - before;
    before = count.received;
    const isFast = arrived >= floor.bytes;
    const isWaitingForClient = !count.heldBack && body.readableLength === 0;
    count.heldBack = body.readableLength > 0;
    if (isFast || !isWaitingForClient) return;
    body.destroy(new FsError('invalid_request', tooSlow(floor)));
  }, floor.windowMs);
  timer.unref();
  body.once('end', () => clearInterval(timer));
  body.once('close', () => clearInterval(timer));
}

function tooSlow(floor: UploadFloor): string {
  const seconds = floor.windowMs / 1000;
  return `the body arrived too slowly: at least ${floor.bytes} bytes are expected in ${seconds} s; send it again`;
}

/** Reads away what the client sends, up to the bounds; true when that was all. */
function drained(req: IncomingMessage): Promise<boolean> {
  return new Promise((resolve) => {
    let bytes = 0;
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes >= DRAIN_BYTES) finish();
    };
    const finish = () => {
      clearTimeout(timer);
      req.off('data', onData).off('end', finish).off('close', finish);
      resolve(req.complete);
    };
    const timer = setTimeout(finish, DRAIN_MS);
    req.on('data', onData).once('end', finish).once('close', finish);
    req.resume();
  });
}

/**
 * Node closes the socket as soon as the last answer is written. Closing one with unread bytes resets the connection, and
 * the client loses the answer; so only our half is closed, and the rest waits for the client for a moment.
 */
function lingerOnClose(req: IncomingMessage): void {
  const { socket } = req;
  socket.destroySoon = () => {
    socket.end();
    req.resume();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  };
}
