import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { FsError } from './errors.ts';
import { LOG_LEVELS } from './log.ts';
import type { Parser } from './setting-parsers.ts';
import * as parse from './setting-parsers.ts';

interface Row<T> {
  readonly variable: string;
  readonly parser: Parser<T>;
  /** Read where the variable is unset or empty; null: the value is null then. */
  readonly defaultText: string | null;
  /** The default as people read it. */
  readonly shownDefault: string;
  readonly meaning: string;
  /** Its value is never repeated, also not in an error. */
  readonly secret: boolean;
}

function setting<T>(variable: string, defaultText: string, parser: Parser<T>, meaning: string): Row<T> {
  return { variable, parser, defaultText, shownDefault: defaultText, meaning, secret: false };
}

function optional<T>(variable: string, shownDefault: string, parser: Parser<T>, meaning: string): Row<T | null> {
  return { variable, parser, defaultText: null, shownDefault, meaning, secret: false };
}

function secretly<T>(row: Row<T>): Row<T> {
  return { ...row, secret: true };
}

// What is held in memory whole
const MAX_HELD_BYTES = 256 * 1024 ** 2;
const MAX_ID = 2 ** 32 - 2;

/** Every setting, in the order people read them. Parsing, defaults, README and `--help` come from here. */
// biome-ignore format: a table, one row a line
const ROWS = {
  host: setting('HOST', '127.0.0.1', parse.hostName, 'address to listen on'),
  port: setting('PORT', '8080', parse.integer(0, 65_535), 'port to listen on; `0` picks a free one'),
  publicUrl: optional('PUBLIC_URL', 'http://HOST:PORT', parse.baseUrl, 'what signed URLs begin with'),
  signedPort: optional('SIGNED_PORT', 'none', parse.integer(0, 65_535), 'a port for the signed data plane alone'),
  trustProxy: optional('TRUST_PROXY', 'none', parse.proxies, 'proxies whose forwarding headers count'),
  corsOrigins: optional('CORS_ORIGINS', 'none', parse.origins, 'exact origins of web pages that may call'),
  dataDir: setting('DATA_DIR', './workspaces', parse.directory, 'the data root'),
  mountDir: optional('MOUNT_DIR', 'DATA_DIR', parse.absolutePath, 'where container engines find the data root'),
  databaseUrl: secretly(
    optional('DATABASE_URL', 'sqlite:DATA_DIR/workspaced.db', parse.databaseUrl, '`sqlite:…` or `postgres://…`')),
  jwtSecret: secretly(
    optional('JWT_SECRET', 'made at first start', parse.secret, 'key of HS256 tokens, at least 32 bytes')),
  signingKeys: secretly(
    optional('SIGNING_KEYS', 'made at first start', parse.signingKeys,
      '`id:secret,…` for signed URLs; the first signs, all verify: rotation')),
  // Not a secret, but what lands here by mistake is its private half
  jwtPublicKey: secretly(
    optional('JWT_PUBLIC_KEY', 'none', parse.publicKey, 'PEM of RS256 or ES256 tokens; ends HS256')),
  jwtJwksUrl: optional('JWT_JWKS_URL', 'none', parse.documentUrl, 'key set of RS256 or ES256 tokens; ends HS256'),
  jwtIssuer: optional('JWT_ISSUER', 'none', parse.word, 'the `iss` that tokens must have'),
  jwtAudience: optional('JWT_AUDIENCE', 'none', parse.word, 'the `aud` that tokens must have'),
  tenantAutocreate: setting('TENANT_AUTOCREATE', 'true', parse.truth, 'a tenant a token names comes into being'),
  tenantQuotaBytes: setting('TENANT_QUOTA_BYTES', '10GiB', parse.size(0), 'bytes of a new tenant; 0 = no limit'),
  tenantQuotaFiles: setting('TENANT_QUOTA_FILES', '0', parse.integer(0), 'files of a new tenant; 0 = no limit'),
  workspaceQuotaBytes: setting('WORKSPACE_QUOTA_BYTES', '0', parse.size(0), 'bytes of a new workspace; 0 = no limit'),
  workspaceQuotaFiles: setting('WORKSPACE_QUOTA_FILES', '0', parse.integer(0), 'files of a new one; 0 = no limit'),
  storeMaxFileBytes: setting('STORE_MAX_FILE_BYTES', '50MiB', parse.size(1), 'largest file of a store'),
  filesMaxFileBytes: setting('FILES_MAX_FILE_BYTES', '5GiB', parse.size(1), 'largest file of `/v1/files`'),
  slotMaxFileBytes: setting('SLOT_MAX_FILE_BYTES', '5GiB', parse.size(1), 'largest upload to a slot'),
  mediaMaxFileBytes: setting('MEDIA_MAX_FILE_BYTES', '10MiB', parse.size(1), 'largest file of the media API'),
  mediaSignedUrls: setting('MEDIA_SIGNED_URLS', 'false', parse.truth, 'the media API gives out signed URLs'),
  mediaDocumentHandling: setting(
    'MEDIA_DOCUMENT_HANDLING', 'extract', parse.oneOf(['extract', 'raw']), '`extract` the text of documents, or not'),
  workspaceMaxFileBytes: setting('WORKSPACE_MAX_FILE_BYTES', '5GiB', parse.size(1), 'largest raw write to a workspace'),
  jsonMaxBytes: setting('JSON_MAX_BYTES', '64MiB', parse.size(1024, MAX_HELD_BYTES), 'most content carried in JSON'),
  editMaxBytes: setting('EDIT_MAX_BYTES', '64MiB', parse.size(1, MAX_HELD_BYTES), 'largest file that is edited in place'),
  diskReserveBytes: setting('DISK_RESERVE_BYTES', '1GiB', parse.size(0), 'free disk below which writes are refused'),
  workspaceUid: optional('WORKSPACE_UID', "the daemon's", parse.integer(0, MAX_ID), 'owner of files in workspaces'),
  workspaceGid: optional('WORKSPACE_GID', "the daemon's", parse.integer(0, MAX_ID), 'group of files in workspaces'),
  watchMaxDirs: setting('WATCH_MAX_DIRS', '10000', parse.integer(0), 'watched per workspace; beyond it, scans'),
  fetchEnabled: setting('FETCH_ENABLED', 'false', parse.truth, 'agents may download files of the public web'),
  webhooksAllowPrivate: setting('WEBHOOKS_ALLOW_PRIVATE', 'false', parse.truth, 'webhooks may be inside, and plain http'),
  accelRedirect: optional(
    'ACCEL_REDIRECT', 'none', parse.location, "internal location for nginx's `X-Accel-Redirect`"),
  eventsRetentionMs: setting('EVENTS_RETENTION', '24h', parse.duration('1m', '30d'), 'how far back events reach'),
  metricsToken: secretly(
    optional('METRICS_TOKEN', 'none', parse.word, 'bearer for `/metrics`; without it loopback only')),
  rateLimitPerMinute: setting('RATE_LIMIT_PER_MINUTE', '0', parse.integer(0), 'per credential and minute; 0 = off'),
  workers: setting('WORKERS', '1', parse.integer(1, 64), 'processes sharing the port'),
  durability: setting('DURABILITY', 'fsync', parse.oneOf(['fsync', 'none']), '`fsync`, or `none` for scratch data'),
  logLevel: setting('LOG_LEVEL', 'info', parse.oneOf(LOG_LEVELS), 'least severe line that is logged'),
  development: setting('NODE_ENV', 'development', parse.notProduction, '`production`: no token printed at the start'),
};

type Values = { readonly [K in keyof typeof ROWS]: (typeof ROWS)[K] extends Row<infer T> ? T : never };

/** All settings, checked. Sizes in bytes; null where a setting is absent; `dataDir` is absolute. Frozen. */
export type Config = Omit<Values, 'databaseUrl'> & { readonly databaseUrl: string };

/** The settings for people to read, in order. */
export const SETTINGS: readonly {
  readonly variable: string;
  readonly shownDefault: string;
  readonly meaning: string;
}[] = Object.values(ROWS);

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads every setting; an empty variable counts as unset. @throws invalid_request: a sentence on the first bad one */
export function readConfig(env: Environment): Config {
  const pairs = Object.entries<Row<unknown>>(ROWS).map(([key, row]) => [key, readRow(row, env[row.variable])]);
  // The loop over the table loses each row's type; `Values` says it again
  const values = Object.fromEntries(pairs) as Values;
  const dataDir = resolve(values.dataDir);
  const databaseUrl = values.databaseUrl ?? `sqlite:${join(dataDir, 'workspaced.db')}`;
  const config = { ...values, dataDir, databaseUrl };
  refuseContradictions(config);
  return Object.freeze(config);
}

/** What an operator should know before trusting the settings: one sentence each, to be logged at the start. */
export function warningsOf(config: Config): readonly string[] {
  const warnings: readonly (readonly [boolean, string])[] = [
    [
      isWildcard(config.host) && config.publicUrl === null,
      `HOST is ${config.host} and PUBLIC_URL is not set: signed URLs will begin with whatever Host a request names`,
    ],
    [
      config.jwtJwksUrl !== null && !isPrivateFetch(config.jwtJwksUrl),
      'JWT_JWKS_URL is plain http: whoever can change the answer on its way can make tokens; use https',
    ],
    [
      config.jwtSecret !== null && (config.jwtPublicKey !== null || config.jwtJwksUrl !== null),
      'JWT_SECRET is not used: tokens are verified with JWT_PUBLIC_KEY or JWT_JWKS_URL',
    ],
    [
      config.webhooksAllowPrivate,
      'WEBHOOKS_ALLOW_PRIVATE is true: an admin credential of any tenant makes the daemon call addresses of its own network',
    ],
    [config.durability === 'none', 'DURABILITY is none: a power cut can lose or tear files that were acknowledged'],
  ];
  return warnings.flatMap(([applies, sentence]) => (applies ? [sentence] : []));
}

function readRow(row: Row<unknown>, set: string | undefined): unknown {
  const text = set === undefined || set === '' ? row.defaultText : set;
  if (text === null) return null;
  const value = row.parser.parse(text);
  if (value === undefined) {
    const given = row.secret ? 'set to a value that is not shown here' : JSON.stringify(shown(text));
    throw new FsError('invalid_request', `${row.variable} is ${given}; it must be ${row.parser.allowed}`);
  }
  return Array.isArray(value) ? Object.freeze(value) : value;
}

function refuseContradictions(config: Config): void {
  const { workspaceUid, workspaceGid, signedPort, port, workers, databaseUrl } = config;
  if ((workspaceUid === null) !== (workspaceGid === null)) {
    const [one, other] =
      workspaceUid === null ? ['WORKSPACE_GID', 'WORKSPACE_UID'] : ['WORKSPACE_UID', 'WORKSPACE_GID'];
    throw new FsError(
      'invalid_request',
      `${one} is ${workspaceUid ?? workspaceGid} and ${other} is not set; set both or none`,
    );
  }
  if (config.jwtPublicKey !== null && config.jwtJwksUrl !== null) {
    throw new FsError(
      'invalid_request',
      'JWT_PUBLIC_KEY and JWT_JWKS_URL are both set; set the one that verifies tokens',
    );
  }
  if (signedPort !== null && signedPort !== 0 && signedPort === port) {
    throw new FsError(
      'invalid_request',
      `SIGNED_PORT is ${signedPort}, and so is PORT; give it a port of its own or unset it`,
    );
  }
  if (workers > 1 && databaseUrl.startsWith('sqlite::memory:')) {
    throw new FsError(
      'invalid_request',
      `WORKERS is ${workers}, but a database in memory has one process; set WORKERS to 1`,
    );
  }
}

/** True for a host that means every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || (isIP(host) === 6 && /^[0:]+$/.test(host));
}

function isPrivateFetch(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}

/** Short, and without the password of a URL. */
function shown(text: string): string {
  const open = text.replace(/:\/\/[^/]*@/g, '://…@');
  return open.length <= 100 ? open : `${open.slice(0, 100)}…`;
}
