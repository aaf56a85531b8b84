import { Readable } from 'node:stream';
import { Client, type Dispatcher } from 'undici';
import { FsError } from '../errors.ts';
import { dialerOf, type IsAllowed } from './dial.ts';
import { encoded, failureOf, strangeStatus } from './failures.ts';
import { isPublicAddress } from './public-address.ts';
import { type Resolve, resolveByDns } from './resolve.ts';
import { parseTarget, redirectTarget } from './target.ts';

/** A file as it arrives from the web. */
export interface WebFile {
  /** Fails with `unavailable` where the file ends too early or the server stops sending. */
  readonly body: Readable;
  /** What the server says it sends, in bytes, or null. */
  readonly bytes: number | null;
}

/** The public internet, as far as files can be read from it. The only code that calls out on behalf of a client. */
export interface Web {
  /**
   * Asks for a file, follows redirects, and hands it to `use`, which must take the body before it resolves; then the
   * connection is gone. No address but a public one is ever connected to, whatever a name or a redirect says; no proxy, cookie
   * or credential of this machine is used; certificates are verified.
   * @throws invalid_request for a URL or an answer that trying again will not better, forbidden for a host that has no public
   * address, unavailable where trying again may help, what `use` throws, and the signal's reason
   */
  get<T>(url: string, signal: AbortSignal, use: (file: WebFile) => Promise<T>): Promise<T>;
}

/** What holds one download within bounds, in milliseconds. */
export interface WebPatience {
  /** For a connection to one address, with the handshake of TLS. */
  readonly connectMs: number;
  /** Between two signs of life of the server. */
  readonly idleMs: number;
  /** For the whole, redirects included. */
  readonly totalMs: number;
}

export interface WebOptions {
  readonly isAllowed?: IsAllowed;
  readonly resolve?: Resolve;
  readonly patience?: WebPatience;
  /** Certificates to trust instead of those Node brings, as PEM. */
  readonly ca?: string;
}

const PATIENCE: WebPatience = { connectMs: 10_000, idleMs: 30_000, totalMs: 600_000 };
const MAX_REDIRECTS = 5;
const MAX_HEADER_BYTES = 16 * 1024;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const HEADERS = { 'user-agent': 'workspaced', accept: '*/*', 'accept-encoding': 'identity' };

/** By default only addresses of the public internet are allowed; a name is resolved by the DNS. */
export function openWeb(options: WebOptions = {}): Web {
  const {
    isAllowed = (address) => isPublicAddress(address),
    resolve = resolveByDns,
    patience = PATIENCE,
    ca = null,
  } = options;

  /** One request, and the file of its answer or where it sends us on. */
  async function ask<T>(url: URL, signal: AbortSignal, use: (file: WebFile) => Promise<T>): Promise<Outcome<T>> {
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
      const answer = await answerOf(client, url, signal);
      if (REDIRECTS.has(answer.statusCode)) return { next: redirectTarget(url, textOf(answer.headers.location)) };
      return { value: await use(fileOf(url, answer, signal)) };
    } finally {
      signal.removeEventListener('abort', giveUp);
      await client.destroy();
    }
  }

  return {
    async get(url, caller, use) {
      const signal = AbortSignal.any([caller, AbortSignal.timeout(patience.totalMs)]);
      let target = parseTarget(url);
      for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
        const outcome = await ask(target, signal, use);
        if ('value' in outcome) return outcome.value;
        target = outcome.next;
      }
      throw new FsError(
        'invalid_request',
        `the url is redirected more than ${MAX_REDIRECTS} times, last to ${target.host}`,
      );
    },
  };
}

type Outcome<T> = { readonly value: T } | { readonly next: URL };
type Answer = Dispatcher.ResponseData;

async function answerOf(client: Client, url: URL, signal: AbortSignal): Promise<Answer> {
  try {
    signal.throwIfAborted();
    const answer = await client.request({ method: 'GET', path: `${url.pathname}${url.search}`, headers: HEADERS });
    // Whoever leaves it unread destroys the client, and with it the body, which then fails with nobody listening.
    answer.body.on('error', () => undefined);
    return answer;
  } catch (error) {
    throw failureOf(url, error, signal);
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
    throw failureOf(url, error, signal);
  }
}

/** A header that should be there once: the first, where it is there several times. */
function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}
