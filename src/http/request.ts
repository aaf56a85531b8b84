import type { IncomingMessage } from 'node:http';
import type { Grant } from '../auth/grant.ts';
import { FsError } from '../errors.ts';
import { parseDirectory, parsePath, type TreePath } from '../tree/path.ts';
import { hasBody, type IncomingBody } from './body.ts';
import type { Call, Form, ReceivePart, Route } from './call.ts';
import { parseConditions } from './conditions.ts';
import { normaliseQuery, parseJson, parseQuery, validate } from './decode.ts';
import { readForm } from './multipart.ts';
import type { Tally } from './tally.ts';

/** Route parameters as Express gives them: decoded once, a wildcard as the list of its segments. */
export type Params = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface CallParts {
  readonly req: IncomingMessage;
  readonly route: Route;
  readonly params: Params;
  readonly search: string | null;
  readonly grant: Grant | null;
  readonly body: IncomingBody;
  readonly tally: Tally;
  readonly requestId: string;
  readonly publicUrl: string;
  readonly signal: AbortSignal;
  readonly jsonMaxBytes: number;
}

/** The request as its route's handler sees it. @throws invalid_request where the query is not as the route documents it */
export function openCall(parts: CallParts): Call {
  const { req, route, params, body } = parts;
  const header = (name: string) => headerOf(req, name);
  const rawQuery = parseQuery(parts.search ?? '');
  const query =
    route.query === undefined ? rawQuery : validate(route.query, normaliseQuery(rawQuery, route.query), 'parameter');
  const conditions = parseConditions(header('if-match'), header('if-none-match'));
  const wild = (name: string) => {
    const value = params[name] ?? '';
    return typeof value === 'string' ? value : value.join('/');
  };
  return {
    requestId: parts.requestId,
    get grant() {
      return granted(parts.grant, route);
    },
    method: route.method === 'GET' && req.method === 'HEAD' ? 'HEAD' : route.method,
    param: wild,
    path: (name): TreePath => parsePath(wild(name)),
    directory: (name): TreePath => parseDirectory(wild(name)),
    // The one place where a route's own schema vouches for the type its handler asks for.
    query: <T>() => query as T,
    json: async <T>() => (await readJson(parts)) as T,
    header,
    contentType: header('content-type'),
    contentLength: declaredLength(req),
    get body() {
      demandIdentity(req);
      return body.stream();
    },
    form: (receive: ReceivePart, limits): Promise<Form> => {
      demandIdentity(req);
      return readForm({ headers: req.headers, body: () => body.stream() }, receive, limits);
    },
    conditions,
    tally: parts.tally,
    publicUrl: parts.publicUrl,
    signal: parts.signal,
  };
}

function granted(grant: Grant | null, route: Route): Grant {
  if (grant === null) throw new FsError('internal', `the route ${route.name} is public and has no grant`);
  return grant;
}

function headerOf(req: IncomingMessage, name: string): string | null {
  const value = req.headers[name.toLowerCase()];
  if (value === undefined) return null;
  return typeof value === 'string' ? value : value.join(', ');
}

function declaredLength(req: IncomingMessage): number | null {
  const text = req.headers['content-length'];
  return text === undefined ? null : Number(text);
}

/** @throws unsupported for a compressed body: it would be stored, counted and hashed as what it is not */
function demandIdentity(req: IncomingMessage): void {
  const encoding = headerOf(req, 'content-encoding');
  if (encoding === null || /^(identity|aws-chunked|)$/i.test(encoding.trim())) return;
  throw new FsError('unsupported', `the body has Content-Encoding "${encoding}"; send it unencoded`);
}

async function readJson(parts: CallParts): Promise<unknown> {
  const { req, route, jsonMaxBytes } = parts;
  if (hasBody(req)) {
    demandJson(headerOf(req, 'content-type'), route);
    demandIdentity(req);
  }
  const value = parseJson(hasBody(req) ? await collect(parts, jsonMaxBytes) : Buffer.alloc(0));
  return route.body === undefined ? value : validate(route.body, value, 'field');
}

/** No type at all is taken for JSON: many a script sends none. @throws unsupported */
function demandJson(contentType: string | null, { form }: Route): void {
  if (contentType === null) return;
  const [essence = '', ...parameters] = contentType.toLowerCase().split(';');
  const isJson = /^application\/([a-z0-9.-]+\+)?json$/.test(essence.trim());
  const isUtf8 = parameters.every((text) => !/charset=/.test(text) || /charset="?utf-?8"?\s*$/.test(text));
  if (isJson && isUtf8) return;
  const orForm = form === undefined ? '' : ' or a form (multipart/form-data)';
  throw new FsError(
    'unsupported',
    `this call takes JSON in UTF-8 (Content-Type: application/json)${orForm}, not "${contentType}"`,
  );
}

async function collect(parts: CallParts, maxBytes: number): Promise<Buffer> {
  const declared = declaredLength(parts.req);
  if (declared !== null && declared > maxBytes) throw tooLarge(maxBytes, declared);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of parts.body.stream()) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes, bytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(limit: number, requested: number): FsError {
  const sentence = `a JSON body may have ${limit} bytes; send larger content as raw bytes (raw=true) where the call takes them`;
  return new FsError('too_large', sentence, { limit, requested });
}
