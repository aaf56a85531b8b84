import type { IncomingMessage, ServerResponse } from 'node:http';
import { create as contentDisposition } from 'content-disposition';
import fresh from 'fresh';
import { FsError } from '../errors.ts';
import { display } from '../tree/path.ts';
import type { OpenFile } from '../tree/tree.ts';
import type { Reply } from './call.ts';
import { matchesVersion, parseConditions } from './conditions.ts';
import { pump } from './pump.ts';
import { type Span, spanOf } from './ranges.ts';
import { safeContentType } from './safe-content-type.ts';

/** The reply that carries an opened file. */
export type FileReply = Extract<Reply, { readonly file: OpenFile }>;

// A file that runs scripts where it is shown gets an origin of its own in which it can do nothing.
const SANDBOX = "sandbox; default-src 'none'";

/**
 * Answers with a file's bytes: HEAD, ETag, Last-Modified, If-Match, If-None-Match, If-Modified-Since, Range, If-Range.
 * Several ranges in one request are answered with the whole file, as RFC 9110 allows. The file is closed in every case.
 * @param accelRedirect where nginx in front finds the data root; it then sends what has a place there, conditions and ranges too
 * @throws range_not_satisfiable, precondition_failed
 */
export async function sendFile(
  req: IncomingMessage,
  res: ServerResponse,
  reply: FileReply,
  accelRedirect: string | null,
): Promise<void> {
  const { file } = reply;
  try {
    const version = reply.etag ?? file.entry.version;
    const modifiedAt = reply.modifiedAt ?? file.entry.modifiedAt;
    describe(res, reply, version, modifiedAt);
    if (accelRedirect !== null && reply.place !== undefined) return handOver(res, `${accelRedirect}/${reply.place}`);
    demandMatch(req, version);
    if (isFresh(req, res)) return endWithout(res, 304);
    const span = chosenSpan(req, res, version, modifiedAt, file.entry.size);
    if (span === null) return await sendBytes(req, res, file, { start: 0, end: file.entry.size - 1 }, reply.status);
    res.setHeader('content-range', `bytes ${span.start}-${span.end}/${file.entry.size}`);
    return await sendBytes(req, res, file, span, 206);
  } finally {
    await file.close();
  }
}

/** Leaves the bytes to nginx, which looks at the request's conditions and ranges itself, by tags and times of its own. */
function handOver(res: ServerResponse, location: string): void {
  for (const name of ['etag', 'last-modified', 'accept-ranges']) res.removeHeader(name);
  res.setHeader('x-accel-redirect', location);
  res.setHeader('content-length', 0);
  res.statusCode = 200;
  res.end();
}

/** The headers that say what the bytes are and how a browser must treat them. */
function describe(res: ServerResponse, reply: FileReply, version: string, modifiedAt: Date): void {
  const safe = safeContentType(reply.contentType);
  const name = display(reply.downloadName);
  const given = new Set(Object.keys(reply.headers ?? {}).map((key) => key.toLowerCase()));
  const headers: Record<string, string> = {
    'content-type': safe.contentType,
    'content-disposition': contentDisposition(name.slice(name.lastIndexOf('/') + 1), { type: safe.disposition }),
    etag: `"${version}"`,
    'last-modified': modifiedAt.toUTCString(),
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
  };
  if (safe.disposition === 'attachment') headers['content-security-policy'] = SANDBOX;
  for (const [key, value] of Object.entries(headers)) if (!given.has(key)) res.setHeader(key, value);
}

function demandMatch(req: IncomingMessage, version: string): void {
  const { ifMatch } = parseConditions(req.headers['if-match'] ?? null, null);
  if (ifMatch === null || matchesVersion(ifMatch, version)) return;
  throw new FsError('precondition_failed', 'the file has changed: its ETag is none of those in If-Match');
}

/**
 * Whether the client has these bytes already. `fetch` adds `Cache-Control: no-cache` to every condition that its caller sets. It is
 * meant for caches on the way, and takes no condition back.
 */
function isFresh(req: IncomingMessage, res: ServerResponse): boolean {
  const { 'cache-control': _, ...conditions } = req.headers;
  return fresh(conditions, { etag: res.getHeader('etag'), 'last-modified': res.getHeader('last-modified') });
}

function endWithout(res: ServerResponse, status: number): void {
  for (const name of ['content-type', 'content-disposition', 'content-length']) res.removeHeader(name);
  res.statusCode = status;
  res.end();
}

/** The one range to send, or null for the whole. @throws range_not_satisfiable, with Content-Range set */
function chosenSpan(
  req: IncomingMessage,
  res: ServerResponse,
  version: string,
  modifiedAt: Date,
  size: number,
): Span | null {
  const text = req.headers.range;
  // RFC 9110 14.2: Range is defined for GET alone, and must be ignored elsewhere.
  if (text === undefined || req.method !== 'GET') return null;
  if (!rangeStillApplies(req.headers['if-range'], version, modifiedAt)) return null;
  const span = spanOf(text, size);
  if (span === 'whole') return null;
  if (span !== 'beyond') return span;
  res.setHeader('content-range', `bytes */${size}`);
  throw new FsError('range_not_satisfiable', `the file has ${size} bytes, and the range asked for lies beyond them`);
}

function rangeStillApplies(ifRange: string | string[] | undefined, version: string, modifiedAt: Date): boolean {
  if (ifRange === undefined) return true;
  const text = String(ifRange).trim();
  return text.startsWith('"') ? text === `"${version}"` : text === modifiedAt.toUTCString();
}

async function sendBytes(
  req: IncomingMessage,
  res: ServerResponse,
  file: OpenFile,
  span: Span,
  status: number,
): Promise<void> {
  const length = span.end - span.start + 1;
  res.statusCode = status;
  res.setHeader('content-length', length);
  if (req.method === 'HEAD' || length === 0) {
    res.end();
    return;
  }
  await pump(file.stream(span), res, length);
}
