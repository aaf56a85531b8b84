import { Readable } from 'node:stream';
import { FsError } from '../errors.ts';
import type { Reply } from './call.ts';
import { pump } from './pump.ts';
import type { Wire } from './reply.ts';

/** What ends a stream of events, besides its own end. */
export interface StreamEnds {
  /** Aborted when the client goes away. */
  readonly gone: AbortSignal;
  /** Aborted when the daemon stops. */
  readonly closing: AbortSignal | null;
  /** Asks once more whether the client may have the answer. @throws unauthenticated, forbidden */
  admit(): Promise<unknown>;
}

// A revoked key is refused within 5 seconds everywhere, and is remembered for 4.
const ADMIT_EVERY_MS = 1000;
const REFUSALS: ReadonlySet<string> = new Set(['unauthenticated', 'forbidden', 'expired']);

/**
 * Sends events as they come, until the client or the daemon goes, the credential is good no longer, or there are no more. The
 * answer begins before the first event, so that who listens knows that it is heard.
 * @throws what the events fail with; before they begin, that can be answered
 */
export async function sendEvents(
  { req, res, body }: Wire,
  reply: Extract<Reply, { readonly events: unknown }>,
  ends: StreamEnds,
): Promise<void> {
  await body.settle();
  const refused = new AbortController();
  const over = new AbortController();
  const closing = ends.closing === null ? [] : [ends.closing];
  const until = AbortSignal.any([ends.gone, refused.signal, over.signal, ...closing]);
  const timer = setInterval(() => {
    ends.admit().catch((error: unknown) => {
      if (error instanceof FsError && REFUSALS.has(error.code)) refused.abort();
    });
  }, ADMIT_EVERY_MS);
  timer.unref();
  try {
    const events = req.method === 'HEAD' || until.aborted ? [] : await reply.events(until);
    res.statusCode = reply.status;
    res.setHeader('content-type', 'text/event-stream; charset=utf-8');
    res.setHeader('cache-control', 'no-store');
    // nginx would keep events back until it has a buffer full of them.
    res.setHeader('x-accel-buffering', 'no');
    res.flushHeaders();
    await pump(Readable.from(events), res, null);
  } finally {
    clearInterval(timer);
    over.abort();
  }
}
