import { Readable } from 'node:stream';
import { Client, type Dispatcher } from 'undici';
import { FsError } from '../errors.ts';
import { demandPublic, dialerOf, type IsAllowed } from './dial.ts';
import { DOWNLOAD, type Errand, encoded, failureOf, MESSAGE, strangeStatus } from './failures.ts';
import { isPublicAddress } from './public-address.ts';
import { type Resolve, resolveByDns, resolveInside } from './resolve.ts';
import { parseMessageTarget, parseTarget, redirectTarget } from './target.ts';

/** A file as it arrives from the web. */
export interface WebFile {
  /** Fails with `unavailable` where the file ends too early or the server stops sending. */
  readonly body: Readable;
  /** What the server says it sends, in bytes, or null. */
  readonly bytes: number | null;
}

/** What is posted: some kilobytes, whole. */
export interface WebMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The public internet, as far as files are read from it and messages posted to it. The only code that calls out on behalf of a client. */
export interface Web {
  /**
   * Asks for a file, follows redirects, and hands it to `use`, which must take the body before it resolves; then the
   * connection is gone. No address but a public one is ever connected to, whatever a name or a redirect says; no proxy, cookie
   * or credential of this machine is used; certificates are verified.
   * @throws invalid_request for a URL or an answer that trying again will not better, forbidden for a host that has no public
   * address, unavailable where trying again may help, what `use` throws, and the signal's reason
   */
  get<T>(url: string, signal: AbortSignal, use: (file: WebFile) => Promise<T>): Promise<T>;
  /**
   * Posts a message to an https URL and says what status it was answered with. The rest of the answer is not read, redirects are
   * not followed, and for connections, proxies and certificates holds what holds for `get`.
   * @throws invalid_request, forbidden, unavailable as `get`; the signal's reason
   */
  post(url: string, message: WebMessage, signal: AbortSignal): Promise<number>;
  /**
   * Says of a URL what its text alone tells: whether `post` would look where it leads.
   * @throws invalid_request for one that is not taken, forbidden for an address that is not public
   */
  demandPostable(url: string): void;
}

/** What holds one download within bounds, in milliseconds. */
export interface WebPatience {
  /** For a connection to one address, with the handshake of TLS. */
  readonly connectMs: number;
  /** Between two signs of life of the server. */
  readonly idleMs: number;
  /** For the whole, redirects included. */
  readonly totalMs: number;
  /** For a message, from the look-up of the name to the status of the answer. */
  readonly messageMs: number;
}

export interface WebOptions {
  readonly isAllowed?: IsAllowed;
  /** True: messages may also go over plain http. */
  readonly plainMessages?: boolean;
  readonly resolve?: Resolve;
  readonly patience?: WebPatience;
  /** Certificates to trust instead of those Node brings, as PEM. */
  readonly ca?: string;
}

const PATIENCE: WebPatience = { connectMs: 10_000, idleMs: 30_000, totalMs: 600_000, messageMs: 10_000 };
const MAX_REDIRECTS = 5;
const MAX_HEADER_BYTES = 16 * 1024;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const AGENT = { 'user-agent': 'workspaced' };
const HEADERS = { ...AGENT, accept: '*/*', 'accept-encoding': 'identity' };

/** For messages that may also stay inside: to every address, over plain http too, and to `localhost`. */
export const INSIDE_TOO: WebOptions = { isAllowed: () => true, plainMessages: true, resolve: resolveInside };

/** By default only addresses of the public internet are allowed; a name is resolved by the DNS. */
export function openWeb(options: WebOptions = {}): Web {
  const settled: Settled = {
    isAllowed: (address) => isPublicAddress(address),
    plainMessages: false,
    resolve: resolveByDns,
    patience: PATIENCE,
    ca: null,
    ...options,
  };

  return {
    get: (url, caller, use) => get(settled, url, caller, use),

    async post(text, message, caller) {
      const signal = AbortSignal.any([caller, AbortSignal.timeout(settled.patience.messageMs)]);
      const url = parseMessageTarget(text, settled.plainMessages);
      return withClient(settled, url, signal, async (client) => {
        const sent = { method: 'POST', headers: { ...AGENT, ...message.headers }, body: message.body } as const;
        return (await answerOf(client, url, signal, sent, MESSAGE)).statusCode;
      });
    },

    demandPostable: (text) => demandPublic(parseMessageTarget(text, settled.plainMessages), settled.isAllowed),
  };
}

type Settled = Required<Omit<WebOptions, 'ca'>> & { readonly ca: string | null };

async function get<T>(
  options: Settled,
  url: string,
  caller: AbortSignal,
  use: (file: WebFile) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.any([caller, AbortSignal.timeout(options.patience.totalMs)]);
  let target = parseTarget(url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const outcome = await ask(options, target, signal, use);
    if ('value' in outcome) return outcome.value;
    target = outcome.next;
  }
  throw new FsError(
    'invalid_request',
    `the url is redirected more than ${MAX_REDIRECTS} times, last to ${target.host}`,
  );
}

/** One request, and the file of its answer or where it sends us on. */
function ask<T>(
  options: Settled,
  url: URL,
  signal: AbortSignal,
  use: (file: WebFile) => Promise<T>,
): Promise<Outcome<T>> {
  return withClient(options, url, signal, async (client) => {
    const answer = await answerOf(client, url, signal, { method: 'GET', headers: HEADERS }, DOWNLOAD);
    if (REDIRECTS.has(answer.statusCode)) return { next: redirectTarget(url, textOf(answer.headers.location)) };
    return { value: await use(fileOf(url, answer, signal)) };
  });
}

/** A client of one server, with a guarded way to it, that is gone when `use` ends or the signal aborts. */
async function withClient<T>(
  { resolve, isAllowed, patience, ca }: Settled,
  url: URL,
  signal: AbortSignal,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client(url.origin, {
    connect: dialerOf({ resolve, isAllowed, connectMs: patience.connectMs, ca, signal }),
    allowH2: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: patience.idleMs,
    bodyTimeout: patience.idleMs,
  });
  const giveUp = () => void client.destroy(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await use(client);
  } finally {
    signal.removeEventListener('abort', giveUp);
    await client.destroy();
  }
}

type Outcome<T> = { readonly value: T } | { readonly next: URL };
type Answer = Dispatcher.ResponseData;

type Sent = Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'body'>;

async function answerOf(client: Client, url: URL, signal: AbortSignal, sent: Sent, what: Errand): Promise<Answer> {
  try {
    signal.throwIfAborted();
    const answer = await client.request({ ...sent, path: `${url.pathname}${url.search}` });
    // Whoever leaves it unread destroys the client, and with it the body, which then fails with nobody listening.
    answer.body.on('error', () => undefined);
    return answer;
  } catch (error) {
    throw failureOf(url, error, signal, what);
  }
}

/** @throws invalid_request, unavailable unless the answer is a whole file, as it is */
function fileOf(url: URL, { statusCode, headers, body }: Answer, signal: AbortSignal): WebFile {
  if (statusCode !== 200) throw strangeStatus(url, statusCode);
  const encoding = textOf(headers['content-encoding'])?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== '') throw encoded(url);
  const length = textOf(headers['content-length']);
  return {
    body: Readable.from(bytesOf(url, body, signal), { objectMode: false }),
    bytes: length === undefined ? null : Number(length),
  };
}

async function* bytesOf(url: URL, body: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    throw failureOf(url, error, signal, DOWNLOAD);
  }
}

/** A header that should be there once: the first, where it is there several times. */
function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}
