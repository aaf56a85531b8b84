import { z } from 'zod';
import type { Answers, BodyPrint, EarlierAnswer, FirstWork } from '../core/core.ts';
import { ERROR_CODES, type ErrorCode, FsError, toFsError } from '../errors.ts';
import { hasBody } from './body.ts';
import type { Reply } from './call.ts';
import { HTTP_STATUS } from './errors.ts';
import { boundaryOf } from './multipart.ts';
import { type CallParts, openCall } from './request.ts';
import { EMPTY_PRINT, type WitnessedBody, witnessBody } from './witness.ts';

const HEADER = 'idempotency-key';
/** Set on an answer that was made for an earlier request. */
const REPLAYED = 'idempotent-replayed';
const KEY = /^[\x20-\x7e]{1,255}$/;
// Headers that change what a creating call does.
const HEEDED = ['content-encoding', 'if-match', 'if-none-match', 'upload-length', 'upload-metadata'];
/** For a body that the call does not take: it is neither read nor compared. */
const UNREAD: BodyPrint = { hash: '', bytes: 0 };
/** These speak of the moment or of the credential, not of the request: it may well succeed when it is sent again. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'unauthenticated',
  'forbidden',
  'expired',
  'rate_limited',
  'run_live',
  'pending_upload',
]);

/**
 * The route's answer to a call. Where the route makes something and the call has an `Idempotency-Key`, that is done once: the
 * same request again gets the first one's answer.
 * @throws conflict, invalid_request, and what the route's handler throws
 */
export async function answerOnce(answers: Answers, parts: CallParts): Promise<Reply> {
  const { req, route, grant } = parts;
  const keys = req.headersDistinct[HEADER];
  if (keys === undefined || route.creates !== true || grant === null) return route.handle(openCall(parts));
  const [key = '', ...more] = keys;
  if (more.length > 0 || !KEY.test(key)) {
    throw new FsError('invalid_request', 'Idempotency-Key is one text of 1 to 255 printable ASCII characters');
  }
  const claim = await answers.claim(grant, key, callText(parts));
  return 'first' in claim ? firstAnswer(claim.first, parts) : repeated(claim.earlier, parts);
}

/** All of a request but its body and who sent it. */
function callText({ req, search, route }: CallParts): string {
  const type = (req.headers['content-type'] ?? '').replace(/;\s*boundary=(?:"[^"]*"|[^;\s]*)/i, '').toLowerCase();
  const [path] = (req.url ?? '').split('?', 1);
  return JSON.stringify([route.method, path, search, type, ...HEEDED.map((name) => req.headers[name] ?? null)]);
}

// ---- the first request with a key ------------------------------------------------------------------------------------

async function firstAnswer(work: FirstWork, parts: CallParts): Promise<Reply> {
  const { route } = parts;
  const body = witness(parts, (print) => work.begin(print));
  const known = knownPrint(parts);
  try {
    if (known !== null) await work.begin(known);
    const reply = await route.handle(openCall({ ...parts, body }));
    // A body that came without being wanted.
    if (known === null && body.print === null) await work.begin(UNREAD);
    // A stream makes nothing, and is not kept.
    if ('json' in reply || 'empty' in reply) await work.keep(JSON.stringify(reply));
    else await work.free();
    return reply;
  } catch (thrown) {
    const error = toFsError(thrown);
    const isWhole = known !== null || body.print !== null;
    if (isWhole && isFinal(error)) await work.keep(JSON.stringify({ error: plain(error) }));
    else await work.free();
    throw error;
  }
}

/** The print that is known before a byte is read, or null. */
function knownPrint({ req, route }: CallParts): BodyPrint | null {
  if ([route.body, route.bodyKinds, route.form].every((kind) => kind === undefined)) return UNREAD;
  return hasBody(req) ? null : EMPTY_PRINT;
}

function witness(parts: CallParts, onWhole: (print: BodyPrint) => Promise<void>): WitnessedBody {
  return witnessBody(parts.body, boundaryOf(parts.req.headers['content-type'] ?? ''), onWhole);
}

/** False for an error that says nothing of a second attempt. */
function isFinal({ code, detail }: FsError): boolean {
  return HTTP_STATUS[code] < 500 && !PASSING.has(code) && detail.retryAfterSeconds === undefined;
}

function plain({ code, message, detail }: FsError): object {
  return { code, message, detail };
}

// ---- a later one -----------------------------------------------------------------------------------------------------

async function repeated(earlier: EarlierAnswer, parts: CallParts): Promise<Reply> {
  const isRead = earlier.body.hash !== UNREAD.hash;
  return replyOf(earlier.answerTo(isRead ? await printOf(parts, earlier.body.bytes) : UNREAD));
}

/** The print of the body, or null once it has more bytes than these: the rest is not read. */
async function printOf(parts: CallParts, maxBytes: number): Promise<BodyPrint | null> {
  const body = witness(parts, async () => {});
  for await (const _ of body.stream()) if (body.bytes > maxBytes) return null;
  return body.print;
}

const kept = z.union([
  z.object({
    error: z.object({ code: z.enum(ERROR_CODES), message: z.string(), detail: z.record(z.string(), z.unknown()) }),
  }),
  z.object({
    status: z.number(),
    headers: z.record(z.string(), z.string()).optional(),
    json: z.unknown().optional(),
    empty: z.literal(true).optional(),
  }),
]);

/** @throws the error that the first request was answered with */
function replyOf(answer: string): Reply {
  const first = kept.parse(JSON.parse(answer));
  if ('error' in first) throw new FsError(first.error.code, first.error.message, first.error.detail);
  const { status, headers, json, empty } = first;
  const replayed = { status, headers: { ...headers, [REPLAYED]: 'true' } };
  return empty === true ? { ...replayed, empty } : { ...replayed, json };
}
