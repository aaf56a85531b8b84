import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import type { Express } from 'express';
import { openBearer } from './auth/bearer.ts';
import { openLinks } from './auth/link.ts';
import { openSeals } from './auth/seal.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Config, isWildcard } from './config.ts';
import { type InnerCore, openCore } from './core/open-core.ts';
import { daemonOwner, type Ownership, ownershipOf } from './core/ownership.ts';
import { type OpenedDatabase, openDatabase } from './db/drivers.ts';
import { allDialects } from './http/dialects/index.ts';
import { opsDialect } from './http/dialects/ops/routes.ts';
import { listen } from './http/listen.ts';
import { type Metrics, openMetrics } from './http/metrics.ts';
import { openApiDocument } from './http/openapi.ts';
import { mountedRoutes } from './http/routes.ts';
import { buildApp } from './http/serve.ts';
import { type Log, openLog } from './log.ts';
import { makeDataRoot, openSecrets, type Secrets } from './secrets.ts';
import { type DataRoot, openDataRoot } from './tree/root.ts';
import { INSIDE_TOO, openWeb, type Web } from './web/web.ts';

/** How long requests in flight may take to finish once the daemon closes. */
const GRACE_MS = 20_000;
const SIGNED_PATH = '/signed/';

export interface Daemon {
  /** Where it listens, without a trailing slash. */
  readonly url: string;
  /** Where the signed data plane listens alone, or null. */
  readonly signedUrl: string | null;
  /** Stops accepting, lets requests in flight finish for a bounded time, and gives back all it holds. */
  close(): Promise<void>;
}

export interface DaemonOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  /** What fetches and webhooks reach instead of the public internet. */
  readonly web?: Web;
}

interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly secrets: Secrets;
  readonly database: OpenedDatabase;
  readonly root: DataRoot;
  readonly ownership: Ownership;
  readonly core: InnerCore;
}

/**
 * Opens everything in order (secrets, database, data root, core, HTTP) and listens. The one place to see how the parts fit.
 * @throws invalid_request, unavailable: what is wrong with a setting, the disk or the database; errors of `listen` as Node has them
 */
export async function startDaemon(config: Config, options: DaemonOptions = {}): Promise<Daemon> {
  const undo: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of undo.splice(0).reverse()) await close();
  };
  try {
    const parts = await openParts(config, options, undo);
    const closing = new AbortController();
    const app = appOf(parts, closing.signal);
    const main = await listen(app, config.host, config.port);
    undo.push(() => main.close(GRACE_MS));
    const signed = config.signedPort === null ? null : await listen(signedOnly(app), config.host, config.signedPort);
    if (signed !== null) undo.push(() => signed.close(GRACE_MS));
    undo.push(async () => closing.abort());
    return {
      url: urlOf(config.host, main.port),
      signedUrl: signed === null ? null : urlOf(config.host, signed.port),
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function openParts(config: Config, options: DaemonOptions, undo: (() => Promise<void>)[]): Promise<Parts> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? openLog(config);
  const { dataDir, durability } = config;
  const instance = randomUUID();
  await makeDataRoot(config);
  const wanted = ownerOf(config);
  const root = await openDataRoot({ path: dataDir, instance, durability, owner: wanted, mountPath: config.mountDir });
  const secrets = await openSecrets(dataDir, config, log);
  const onError = (error: Error) => log.error({ err: error }, 'a database connection failed');
  const database = await openDatabase(config.databaseUrl, { durability, onError });
  undo.push(database.close);
  const metrics = openMetrics();
  const ownership = ownershipOf({ daemon: daemonOwner(), wanted, giving: root.giving });
  log.info({ strategy: ownership.strategy }, ownership.sentence);
  const core = await openCore({
    ...{ db: database.db, root, instance, clock, log, metrics },
    links: openLinks(secrets.signingKeys, clock),
    seals: openSeals(secrets.signingKeys),
    limits: {
      tenant: { quotaBytes: config.tenantQuotaBytes, quotaFiles: config.tenantQuotaFiles },
      workspace: { quotaBytes: config.workspaceQuotaBytes, quotaFiles: config.workspaceQuotaFiles },
      tenantAutocreate: config.tenantAutocreate,
      diskReserveBytes: config.diskReserveBytes,
      watchMaxDirs: config.watchMaxDirs,
      eventsRetentionMs: config.eventsRetentionMs,
    },
    ownership,
    severalProcesses: database.shared || config.workers > 1,
    web: config.fetchEnabled ? (options.web ?? openWeb()) : null,
    webhooks: options.web ?? openWeb(config.webhooksAllowPrivate ? INSIDE_TOO : {}),
  });
  undo.push(core.close);
  metrics.gauges(() => ({ stagedBytes: root.stagedBytes(), watchers: core.watchedDirectories() }));
  return { config, clock, log, metrics, secrets, database, root, ownership, core };
}

function ownerOf({ workspaceUid: uid, workspaceGid: gid }: Config): { uid: number; gid: number } | null {
  return uid === null || gid === null ? null : { uid, gid };
}

function appOf(parts: Parts, closing: AbortSignal): Express {
  const { config, clock, log, metrics, secrets, core } = parts;
  const dialects = [...allDialects({ ...config, clock }), opsOf(parts)];
  const jwt = {
    secret: secrets.jwtSecret,
    publicKey: config.jwtPublicKey,
    jwksUrl: config.jwtJwksUrl,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
  };
  return buildApp({
    ...{ core, dialects, log, metrics, closing },
    bearer: openBearer({ jwt, keys: core.keys.lookUp, clock, log }),
    links: openLinks(secrets.signingKeys, clock),
    options: { ...config, corsOrigins: config.corsOrigins ?? [], publicUrl: publicUrlOf(config) },
  });
}

/** What absolute URLs begin with; null where only a request can tell: its `Host`. */
function publicUrlOf(config: Config): string | null {
  if (config.publicUrl !== null) return config.publicUrl;
  return isWildcard(config.host) || config.port === 0 ? null : urlOf(config.host, config.port);
}

function opsOf({ config, clock, metrics, database, root, ownership, core }: Parts) {
  const warnings = async () => {
    const free = await root.freeBytes();
    const isLow = free < config.diskReserveBytes;
    return isLow ? [`only ${free} bytes of disk are free: below DISK_RESERVE_BYTES every write is refused`] : [];
  };
  const ops = opsDialect({
    metrics,
    ready: {
      checks: { database: database.ping, data_root: root.probe },
      containment: root.containment,
      ownership: ownership.sentence,
      warnings,
    },
    openapi: () => openApiDocument(mountedRoutes([...allDialects({ ...config, clock }), ops], core), about()),
  });
  return ops;
}

function about(): { title: string; version: string } {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  return { title: 'workspaced', version };
}

/** The same app for a port on which nothing but signed links is answered. */
function signedOnly(app: Express): RequestListener {
  return (req, res) => {
    if (req.url?.startsWith(SIGNED_PATH)) return app(req, res);
    res.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' });
    res.end('only signed links are served on this port\n');
  };
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
