import { createServer, type RequestListener, type Server, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** A server that accepts requests. */
export interface Listening {
  readonly server: Server;
  readonly port: number;
  /** Accepts no more, lets requests in flight finish for at most this long, then cuts them. */
  close(graceMs: number): Promise<void>;
}

/** How long a client may take. */
export interface ListenLimits {
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** How often connections are looked at for that. */
  readonly checkMs: number;
}

const LISTEN_LIMITS: ListenLimits = { headersMs: 20_000, checkMs: 5_000 };
const KEEP_ALIVE_MS = 65_000;
// The longest path, percent-encoded three times over, beside the longest token.
const MAX_HEADER_BYTES = 32 * 1024;
const IDLE_CHECK_MS = 20;

/**
 * Listens and resolves once requests are accepted; port 0 picks a free one. Headers must come in time; a body may take as
 * long as it keeps its pace (http/body.ts), so there is no limit on the whole request.
 */
export async function listen(
  app: RequestListener,
  host: string,
  port: number,
  limits: ListenLimits = LISTEN_LIMITS,
): Promise<Listening> {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: limits.headersMs,
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: limits.checkMs,
      noDelay: true,
    },
    app,
  );
  // `100 Continue` is sent when the body is first wanted: a request that is refused before never sends it.
  server.on('checkContinue', app);
  server.on('clientError', answerUnparsable);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { server, port: portOf(server.address()), close: (graceMs) => close(server, graceMs) };
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const done = new AbortController();
  const sweeping = sweepIdle(server, done.signal);
  const cutting = wait(graceMs, null, { signal: done.signal }).then(
    () => server.closeAllConnections(),
    () => undefined, // aborted: all were done before
  );
  await closed;
  done.abort();
  await Promise.all([sweeping, cutting]);
}

/** A connection whose last request just ended is idle only now, and Node closes idle ones only once. */
async function sweepIdle(server: Server, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    server.closeIdleConnections();
    await wait(IDLE_CHECK_MS, null, { signal }).catch(() => undefined); // aborted: the loop ends
  }
}

const STATUS_OF: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** What never became a request has no error handler of its own. */
function answerUnparsable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = STATUS_OF[error.code ?? ''] ?? 400;
  const detail = { 400: 'this is not HTTP', 408: 'the headers came too slowly', 431: 'the headers are too long' }[
    status
  ];
  const body = JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    detail,
    code: 'invalid_request',
    error: detail,
  });
  const headers = [
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ];
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}
