import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import type { Bearer } from '../auth/bearer.ts';
import type { Grant } from '../auth/grant.ts';
import type { Links } from '../auth/link.ts';
import type { Core } from '../core/core.ts';
import { FsError, toFsError } from '../errors.ts';
import { parseAgentId } from '../ids.ts';
import type { Log } from '../log.ts';
import { type Gate, openGate, splitTarget } from './authenticate.ts';
import { UPLOAD_FLOOR, type UploadFloor } from './body.ts';
import type { Dialect } from './dialect.ts';
import { errorReply } from './errors.ts';
import { sendEvents } from './event-stream.ts';
import { type Exchange, openExchange } from './exchange.ts';
import { crossOrigin, securityHeaders } from './headers.ts';
import { answerOnce } from './idempotency.ts';
import type { Metrics } from './metrics.ts';
import { openRateLimit, type RateLimit } from './rate-limit.ts';
import { sendError, sendReply } from './reply.ts';
import { METHOD_NAMES, type MountedRoute, mountedRoutes, patternsOf } from './routes.ts';

/** What the frame decides by. */
export interface AppOptions {
  readonly jsonMaxBytes: number;
  /** Exact origins; none keeps browsers of other origins out. */
  readonly corsOrigins: readonly string[];
  /** 0 = no limit. */
  readonly rateLimitPerMinute: number;
  /** Proxies whose forwarding headers count: how many hops, or which addresses (`loopback` and the like too). */
  readonly trustProxy: number | readonly string[] | null;
  /** What absolute URLs begin with; null: what the request's Host says. */
  readonly publicUrl: string | null;
  readonly metricsToken: string | null;
  /** The internal location of the nginx in front that sends the bytes of files by id; null: they are sent from here. */
  readonly accelRedirect: string | null;
  readonly uploadFloor?: UploadFloor;
}

export interface AppParts {
  readonly core: Core;
  readonly dialects: readonly Dialect[];
  readonly bearer: Bearer;
  readonly links: Links;
  readonly options: AppOptions;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Aborted when the daemon stops: event streams end then, other requests finish. */
  readonly closing?: AbortSignal;
}

interface Frame extends AppParts {
  readonly gate: Gate;
  readonly limit: RateLimit | null;
  readonly exchanges: WeakMap<object, Exchange>;
}

/**
 * The program's whole HTTP surface. What happens to a request, in order: it is named, logged and timed; security headers;
 * CORS; its route, which asks for the credential, counts it against the rate limit, validates the query, and answers; else
 * 405 or 404; and every error anywhere ends in one place.
 */
export function buildApp(parts: AppParts): Express {
  const { core, options, metrics, log } = parts;
  const frame: Frame = {
    ...parts,
    gate: openGate({
      bearer: parts.bearer,
      links: parts.links,
      tenants: core.tenants,
      metricsToken: options.metricsToken,
    }),
    limit: options.rateLimitPerMinute > 0 ? openRateLimit(options.rateLimitPerMinute) : null,
    exchanges: new WeakMap(),
  };
  const floor = options.uploadFloor ?? UPLOAD_FLOOR;
  const app = express();
  configure(app, options.trustProxy);
  app.use((req, res, next) => {
    frame.exchanges.set(req, openExchange(req, res, { log, metrics, usage: core.usage, floor }));
    next();
  });
  app.use(securityHeaders());
  app.use(crossOrigin(options.corsOrigins));
  app.use(routesOf(frame));
  app.use(onError(frame));
  return app;
}

function configure(app: Express, trustProxy: AppOptions['trustProxy']): void {
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.disable('etag');
  app.disable('x-powered-by');
  // Queries are parsed in decode.ts, by stricter rules.
  app.set('query parser', false);
  // Without this, Express's last resort would show a stack.
  app.set('env', 'production');
  app.set('trust proxy', trustProxy ?? false);
}

function routesOf(frame: Frame): RequestHandler {
  const router = express.Router({ caseSensitive: true, strict: true });
  const routes = mountedRoutes(frame.dialects, frame.core);
  for (const mounted of routes) {
    const method = METHOD_NAMES[mounted.route.method];
    router[method](patternsOf(mounted.path), (req, res) => serveRoute(frame, mounted, req, res));
  }
  for (const { path, directory, name } of frame.dialects.flatMap((dialect) => dialect.assets ?? [])) {
    router.get(path, (_req, res, next) =>
      res.sendFile(name, { root: directory, maxAge: '1h' }, (error) => error && next(error)),
    );
  }
  for (const [path, allowed] of methodsByPath(routes)) router.all(patternsOf(path), noteAllowed(allowed));
  // Inside the router: outside it Express has answered OPTIONS by itself already.
  router.use(notFound);
  return router;
}

async function serveRoute(frame: Frame, mounted: MountedRoute, req: Request, res: Response): Promise<void> {
  const { route } = mounted;
  const exchange = exchangeOf(frame, req);
  exchange.mounted = mounted;
  exchange.grant = await admit(frame, mounted, req, res);
  if (route.access === 'signed') {
    res.setHeader('cache-control', 'private, no-store');
    res.setHeader('cross-origin-resource-policy', 'cross-origin');
  }
  const reply = await answerOnce(frame.core.answers, {
    req,
    route,
    params: req.params,
    search: splitTarget(req)[1],
    grant: exchange.grant,
    body: exchange.body,
    tally: exchange.tally,
    requestId: exchange.id,
    publicUrl: frame.options.publicUrl ?? hostUrl(req),
    signal: exchange.signal,
    jsonMaxBytes: frame.options.jsonMaxBytes,
  });
  const { agentId } = req.params;
  // It was answered, so there is such an agent.
  if (typeof agentId === 'string') exchange.tally.concerns({ agentId: parseAgentId(agentId) });
  if ('file' in reply) exchange.tally.carries();
  const wire = { req, res, body: exchange.body };
  if (!('events' in reply)) return sendReply(wire, reply, frame.options.accelRedirect);
  const ends = {
    gone: exchange.signal,
    closing: frame.closing ?? null,
    admit: () => frame.gate.admit(req, route.access),
  };
  await sendEvents(wire, reply, ends);
}

/** Asks for the credential, and counts the request against it; one that has none counts against the client's address. */
async function admit(frame: Frame, { route }: MountedRoute, req: Request, res: Response): Promise<Grant | null> {
  // Probes and scrapers come at their own pace, and what refuses them refuses the daemon as a whole.
  const isCounted = route.access !== 'public' && route.access !== 'metrics';
  try {
    const grant = await frame.gate.admit(req, route.access);
    if (isCounted && grant !== null) await count(frame, res, `${grant.tenant}/${grant.subject}`);
    return grant;
  } catch (error) {
    if (error instanceof FsError && error.code === 'unauthenticated') await count(frame, res, `address ${req.ip}`);
    throw error;
  }
}

/** @throws rate_limited */
async function count(frame: Frame, res: Response, credential: string): Promise<void> {
  if (frame.limit === null) return;
  const { headers, refused } = await frame.limit.take(credential);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (refused !== null) throw refused;
}

function hostUrl(req: Request): string {
  const host = req.host ?? '';
  const isPlain = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(host);
  return isPlain ? `${req.protocol}://${host}` : `http://localhost:${req.socket.localPort ?? 80}`;
}

// ---- what no route took ----------------------------------------------------------------------------------------------

function methodsByPath(routes: readonly MountedRoute[]): ReadonlyMap<string, readonly string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, route } of routes) {
    const known = methods.get(path) ?? [];
    methods.set(path, [...known, route.method, ...(route.method === 'GET' ? ['HEAD'] : [])]);
  }
  return methods;
}

/** Several patterns may match one path: what is allowed is gathered from all of them. */
function noteAllowed(allowed: readonly string[]): RequestHandler {
  return (_req, res, next) => {
    const before = String(res.getHeader('allow') ?? '').split(', ');
    const all = new Set([...before, ...allowed, 'OPTIONS'].filter((method) => method !== ''));
    res.setHeader('allow', [...all].join(', '));
    next();
  };
}

const notFound: RequestHandler = (req, res) => {
  const allowed = res.getHeader('allow');
  if (allowed === undefined) {
    throw new FsError('not_found', 'there is no such call; /docs lists those there are');
  }
  if (req.method !== 'OPTIONS') {
    throw new FsError('method_not_allowed', `${req.method} is not a method of this path; ${String(allowed)} are`);
  }
  res.statusCode = 204;
  res.end();
};

// ---- errors ----------------------------------------------------------------------------------------------------------

/** The one place where errors end. */
function onError(frame: Frame): ErrorRequestHandler {
  return async (thrown: unknown, req, res, _next) => {
    const exchange = exchangeOf(frame, req);
    const error = translated(thrown);
    exchange.error = error;
    if (error.code === 'quota_exceeded') frame.metrics.quotaRefused();
    if (error.code === 'internal' && !exchange.signal.aborted) {
      frame.log.error(
        { requestId: exchange.id, route: exchange.mounted?.route.name, err: error.cause ?? error },
        error.message,
      );
    }
    if (res.headersSent || res.destroyed) {
      res.destroy();
      return;
    }
    const { mounted } = exchange;
    try {
      const reply = errorReply(error, mounted?.dialect ?? null, mounted?.route.name ?? null);
      await sendError({ req, res, body: exchange.body }, reply);
    } catch (failure) {
      frame.log.error({ requestId: exchange.id, err: failure }, 'an error could not be answered');
      res.destroy();
    }
  };
}

function translated(thrown: unknown): FsError {
  // The router's own: a parameter that is no percent-encoded UTF-8.
  if (thrown instanceof URIError) return new FsError('invalid_path', 'the path is not valid percent-encoded UTF-8');
  return toFsError(thrown);
}

function exchangeOf(frame: Frame, req: Request): Exchange {
  const exchange = frame.exchanges.get(req);
  if (exchange === undefined) throw new FsError('internal', 'a request came past the first step');
  return exchange;
}
