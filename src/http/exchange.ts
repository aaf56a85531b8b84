import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Grant } from '../auth/grant.ts';
import type { Metering, Transfer } from '../core/core.ts';
import type { FsError } from '../errors.ts';
import type { Log } from '../log.ts';
import { countAnswer } from './answer-bytes.ts';
import { splitTarget } from './authenticate.ts';
import { type IncomingBody, openBody, type UploadFloor } from './body.ts';
import type { Metrics } from './metrics.ts';
import type { MountedRoute } from './routes.ts';
import { type OpenTally, openTally } from './tally.ts';

/** One request on its way to its answer, and what becomes known of it meanwhile. */
export interface Exchange {
  readonly id: string;
  readonly body: IncomingBody;
  /** Aborted when the client goes away before it has the whole answer. */
  readonly signal: AbortSignal;
  readonly tally: OpenTally;
  mounted: MountedRoute | null;
  grant: Grant | null;
  error: FsError | null;
}

const CLIENTS_OWN_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Who is told of a request that is over. */
export interface Listeners {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly usage: Pick<Metering, 'count'>;
}

/** Names the request, and says when it is over: one log line, one sample, and its part of the tenant's usage, however it ended. */
export function openExchange(
  req: IncomingMessage,
  res: ServerResponse,
  { log, metrics, usage, floor }: Listeners & { readonly floor: UploadFloor },
): Exchange {
  const startedAt = performance.now();
  const sentBefore = req.socket.bytesWritten;
  const bodySent = countAnswer(req, res);
  const gone = new AbortController();
  const exchange: Exchange = {
    id: requestIdOf(req),
    body: openBody(req, res, floor),
    signal: gone.signal,
    tally: openTally(),
    mounted: null,
    grant: null,
    error: null,
  };
  res.setHeader('x-request-id', exchange.id);
  res.once('close', () => {
    if (!res.writableFinished) gone.abort();
    const sample = {
      route: exchange.mounted?.route.name ?? 'none',
      method: req.method ?? '',
      // What nginx made the custom: the client closed the connection before the answer.
      status: res.headersSent || !gone.signal.aborted ? res.statusCode : 499,
      seconds: (performance.now() - startedAt) / 1000,
      bytesIn: exchange.body.received,
      bytesOut: Math.max(0, req.socket.bytesWritten - sentBefore),
    };
    metrics.request(sample);
    const moved = { ...sample, bytesOut: bodySent() };
    const transfer = exchange.tally.total(exchange.grant, moved);
    if (transfer !== null) usage.count(transfer);
    log.info(
      { ...lineOf(req, exchange, moved), ...ofUsage(transfer), ...(gone.signal.aborted ? { cut: true } : {}) },
      'request',
    );
  });
  return exchange;
}

function requestIdOf(req: IncomingMessage): string {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && CLIENTS_OWN_ID.test(given) ? given : randomUUID();
}

type Sample = Parameters<Metrics['request']>[0];

function lineOf(req: IncomingMessage, exchange: Exchange, sample: Sample): object {
  // Never the query: that of a signed link is a credential, also where a mistake in the path made it match no route.
  const [path] = splitTarget(req);
  return {
    requestId: exchange.id,
    route: sample.route,
    method: sample.method,
    path,
    status: sample.status,
    bytesIn: sample.bytesIn,
    bytesOut: sample.bytesOut,
    ms: Math.round(sample.seconds * 1e6) / 1e3,
    ...(exchange.grant === null ? {} : { tenant: exchange.grant.tenant, subject: exchange.grant.subject }),
    ...(exchange.error === null ? {} : { code: exchange.error.code }),
  };
}

/** What was added to the tenant's usage beside the bytes, so that it can be added up from the log as well. */
function ofUsage(transfer: Transfer | null): object {
  const { userId = null, agentId = null, uploads = 0, downloads = 0 } = transfer ?? {};
  return {
    ...(userId === null ? {} : { user: userId }),
    ...(agentId === null ? {} : { agent: agentId }),
    ...(uploads === 0 ? {} : { uploads }),
    ...(downloads === 0 ? {} : { downloads }),
  };
}
