import type { IncomingMessage, ServerResponse } from 'node:http';
import type { IncomingBody } from './body.ts';
import type { Reply } from './call.ts';
import type { ErrorReply } from './errors.ts';
import { sendFile } from './files.ts';
import { pump } from './pump.ts';

/** Where an answer goes, and the request it belongs to. */
export interface Wire {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly body: IncomingBody;
}

/** Every reply but a stream of events, which event-stream.ts sends. */
export type PlainReply = Exclude<Reply, { readonly events: unknown }>;

/**
 * Writes what a handler returned. Streams and files are closed in every case.
 * @param accelRedirect as for `sendFile`
 * @throws what a stream failed with, with the connection cut; range_not_satisfiable and precondition_failed of a file
 */
export async function sendReply(
  { req, res, body }: Wire,
  reply: PlainReply,
  accelRedirect: string | null,
): Promise<void> {
  try {
    await body.settle();
  } finally {
    if (res.destroyed) await abandon(reply);
  }
  if (res.destroyed) return;
  for (const [name, value] of Object.entries(reply.headers ?? {})) res.setHeader(name, value);
  if ('file' in reply) return sendFile(req, res, reply, accelRedirect);
  res.statusCode = reply.status;
  if ('stream' in reply) return sendStream(req, res, reply);
  setUnlessGiven(res, 'cache-control', 'no-store');
  if ('json' in reply) return sendText(res, JSON.stringify(reply.json), 'application/json; charset=utf-8');
  if ('text' in reply) return sendText(res, reply.text, reply.contentType);
  // RFC 9110 8.6: neither 204 nor 304 may have a Content-Length.
  if (reply.status !== 204 && reply.status !== 304) res.setHeader('content-length', 0);
  res.end();
}

// What a reply that failed before its first byte may have said of bytes that do not come.
const ABOUT_CONTENT = [
  'content-length',
  'content-disposition',
  'content-encoding',
  'etag',
  'last-modified',
  'accept-ranges',
];

/** Writes an error, after a little of the body that may still be arriving. Nothing where the client is gone already. */
export async function sendError({ res, body }: Wire, error: ErrorReply): Promise<void> {
  await body.settle();
  if (res.destroyed || res.headersSent) return;
  for (const name of ABOUT_CONTENT) res.removeHeader(name);
  // It tells the size of the file to one who asked beyond it.
  if (error.status !== 416) res.removeHeader('content-range');
  for (const [name, value] of Object.entries(error.headers)) res.setHeader(name, value);
  res.statusCode = error.status;
  sendText(res, JSON.stringify(error.body), error.headers['content-type'] ?? 'application/json');
}

async function abandon(reply: PlainReply): Promise<void> {
  if ('file' in reply) await reply.file.close();
  if ('stream' in reply) reply.stream.destroy();
}

function sendText(res: ServerResponse, text: string, contentType: string): void {
  const bytes = Buffer.from(text);
  setUnlessGiven(res, 'content-type', contentType);
  res.setHeader('content-length', bytes.length);
  // Node leaves the bytes out of an answer to HEAD by itself.
  res.end(bytes);
}

async function sendStream(
  req: IncomingMessage,
  res: ServerResponse,
  reply: Extract<Reply, { readonly contentType: string; readonly stream: unknown }>,
): Promise<void> {
  setUnlessGiven(res, 'content-type', reply.contentType);
  setUnlessGiven(res, 'cache-control', 'no-store');
  if (req.method === 'HEAD') {
    reply.stream.destroy();
    res.end();
    return;
  }
  const declared = res.getHeader('content-length');
  await pump(reply.stream, res, declared === undefined ? null : Number(declared));
}

function setUnlessGiven(res: ServerResponse, name: string, value: string): void {
  if (!res.hasHeader(name)) res.setHeader(name, value);
}
