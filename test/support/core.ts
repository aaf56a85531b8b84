import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Grant, SCOPES, type VolumeRef } from '../../src/auth/grant.ts';
import { openLinks } from '../../src/auth/link.ts';
import { openSeals } from '../../src/auth/seal.ts';
import type { Clock } from '../../src/clock.ts';
import type { Volume } from '../../src/core/core.ts';
import type { CoreLimits, CoreMetrics, CoreParts } from '../../src/core/core-parts.ts';
import { type InnerCore, openCore } from '../../src/core/open-core.ts';
import { daemonOwner, ownershipOf } from '../../src/core/ownership.ts';
import { openDatabase } from '../../src/db/drivers.ts';
import type { Database } from '../../src/db/schema.ts';
import type { AgentId, TenantId } from '../../src/ids.ts';
import { openLog } from '../../src/log.ts';
import type { TreePath } from '../../src/tree/path.ts';
import { type DataRoot, openDataRoot } from '../../src/tree/root.ts';
import { openWeb, type WebOptions } from '../../src/web/web.ts';
import type { DatabaseKind, TestDatabase } from './databases.ts';
import { temporaryDirectory } from './tree.ts';

export const ACME = 'acme' as TenantId;
export const A1 = 'a1' as AgentId;
export const STORE: VolumeRef = { kind: 'store', tenant: ACME };
export const WORKSPACE: VolumeRef = { kind: 'workspace', tenant: ACME, agent: A1 };
export const MEGABYTE = 1024 * 1024;
/** The keys that every core here signs and seals with. */
export const KEYS = [{ id: 'k1', secret: 's'.repeat(32) }];

/** What differs from an ordinary core: limits, the clock, whether others serve the same root, and who counts. */
export interface CoreWishes {
  readonly limits?: Partial<CoreLimits>;
  readonly clock?: Clock;
  readonly severalProcesses?: boolean;
  /** Who counts what; by default nobody. */
  readonly metrics?: Partial<CoreMetrics>;
  /** What webhooks reach; nothing by default. */
  readonly web?: WebOptions;
}

/** One daemon process's core over a root and a database that others may share. */
export interface OneCore {
  readonly core: InnerCore;
  readonly db: Database;
  readonly root: DataRoot;
  readonly instance: string;
  close(): Promise<void>;
}

/** A root and a database of their own, gone when the scope ends, and the cores opened over them. */
export interface CoreSite {
  readonly path: string;
  readonly database: TestDatabase;
  open(wishes?: CoreWishes): Promise<OneCore>;
  [Symbol.asyncDispose](): Promise<void>;
}

const NO_LIMITS = { quotaBytes: 0, quotaFiles: 0 };
const NOWHERE: WebOptions = { resolve: async () => [] };

export async function coreSite(kind: DatabaseKind): Promise<CoreSite> {
  const directory = temporaryDirectory();
  const database = await kind.create();
  const path = join(directory.path, 'root');
  const opened: OneCore[] = [];
  return {
    path,
    database,
    async open(wishes = {}) {
      const one = await openOne(path, database.url, wishes);
      opened.push(one);
      return one;
    },
    async [Symbol.asyncDispose]() {
      for (const one of opened) await one.close();
      await database.drop();
      directory[Symbol.dispose]();
    },
  };
}

/** A site with one core, which has the tenant acme. */
export async function singleCore(kind: DatabaseKind, wishes: CoreWishes = {}): Promise<OneCore & AsyncDisposable> {
  const site = await coreSite(kind);
  const one = await site.open(wishes);
  await one.core.tenants.admit(ACME);
  return { ...one, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() };
}

/** For cores whose numbers nobody reads. */
export function uncounted(): CoreMetrics {
  const ignore = () => undefined;
  return { run: ignore, copyIn: ignore, capture: ignore, swept: ignore, announced: ignore };
}

async function openOne(path: string, url: string, wishes: CoreWishes): Promise<OneCore> {
  const instance = randomUUID();
  const database = await openDatabase(url, { durability: 'none' });
  const root = await openDataRoot({ path, instance, durability: 'none' });
  const clock = wishes.clock ?? (() => new Date());
  const parts: CoreParts = {
    db: database.db,
    root,
    instance,
    clock,
    log: openLog({ logLevel: 'silent' }),
    links: openLinks(KEYS, clock),
    seals: openSeals(KEYS),
    limits: {
      tenant: NO_LIMITS,
      workspace: NO_LIMITS,
      tenantAutocreate: true,
      diskReserveBytes: 0,
      watchMaxDirs: 1000,
      eventsRetentionMs: 86_400_000,
      ...wishes.limits,
    },
    ownership: ownershipOf({ daemon: daemonOwner(), wanted: null, giving: root.giving }),
    severalProcesses: wishes.severalProcesses ?? false,
    metrics: { ...uncounted(), ...wishes.metrics },
    web: null,
    webhooks: openWeb(wishes.web ?? NOWHERE),
  };
  const core = await openCore(parts);
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await core.close();
    await database.close();
  };
  return {
    core,
    db: database.db,
    root,
    instance,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** A grant of everything in a tenant, or of what is named. */
export function grantOf(tenant: TenantId = ACME, bound: Partial<Grant> = {}): Grant {
  return { tenant, subject: 'test', scopes: new Set(SCOPES), agent: null, user: null, expiresAt: null, ...bound };
}

export function openVolume(one: OneCore, ref: VolumeRef = STORE): Promise<Volume> {
  return one.core.volumes.open(grantOf(ref.tenant), ref, 'write');
}

/** A path that needs no parsing. */
export function at(path: string): TreePath {
  return path as TreePath;
}

/** A body of this text or of so many bytes, in chunks as they come from a socket. */
export function bodyOf(content: string | number, chunkBytes = 64 * 1024): Readable {
  const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.alloc(content, 'x');
  const chunks: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += chunkBytes) chunks.push(bytes.subarray(from, from + chunkBytes));
  return Readable.from(chunks, { objectMode: false });
}

/** Writes text at a path, replacing what is there. */
export function put(volume: Volume, path: string, content: string | number) {
  const size = typeof content === 'string' ? Buffer.byteLength(content) : content;
  return volume.write(at(path), bodyOf(content), { mode: 'upsert', maxBytes: 1e9, declaredBytes: size });
}

export async function textAt(volume: Pick<Volume, 'open'>, path: string): Promise<string> {
  const file = await volume.open(at(path));
  try {
    return (await file.bytes(MEGABYTE)).toString();
  } finally {
    await file.close();
  }
}

/** Every path of a volume in order, directories with a slash. */
export async function pathsOf(volume: Pick<Volume, 'walk'>): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const entry of volume.walk(at(''), { depth: 64, entries: 100_000 })) {
    paths.push(entry.kind === 'directory' ? `${entry.path}/` : entry.path);
  }
  return paths.sort();
}

/** What the promise was rejected with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it succeeded',
    (error: unknown) => error,
  );
}
