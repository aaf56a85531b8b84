import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { Grant, VolumeRef } from '../../src/auth/grant.ts';
import { openLinks } from '../../src/auth/link.ts';
import { openAgents } from '../../src/core/agents.ts';
import type { FileObject, ObjectMeta, Run, RunWanted, Usage } from '../../src/core/core.ts';
import { openDisk } from '../../src/core/disk.ts';
import { openNews } from '../../src/core/feeds/news.ts';
import { type Locks, openLocks } from '../../src/core/locks.ts';
import { openContents } from '../../src/core/objects/contents.ts';
import { openObjects } from '../../src/core/objects/objects.ts';
import { daemonOwner, ownershipOf } from '../../src/core/ownership.ts';
import { openQuota } from '../../src/core/quota.ts';
import { openRecounts } from '../../src/core/recount.ts';
import { type InnerRuns, openRuns, type RunParts } from '../../src/core/runs.ts';
import { systemGrant } from '../../src/core/system-grant.ts';
import { openTenants } from '../../src/core/tenants.ts';
import { openVolumes } from '../../src/core/volumes.ts';
import { openWatches } from '../../src/core/watches.ts';
import { openWorkspaces } from '../../src/core/workspaces.ts';
import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import { registerInstance } from '../../src/db/instances.ts';
import { type AgentId, type ObjectId, parseAgentId, type TenantId } from '../../src/ids.ts';
import { type Log, openLog } from '../../src/log.ts';
import { parsePath } from '../../src/tree/path.ts';
import { type DataRoot, openDataRoot } from '../../src/tree/root.ts';
import { uncounted } from '../support/core.ts';
import type { DatabaseKind, TestDatabase } from '../support/databases.ts';
import { type Temporary, temporaryDirectory } from '../support/tree.ts';

export const AGENT = parseAgentId('a1');
const announce: RunParts['announce'] = async () => undefined;
const NO_LIMITS = { quotaBytes: 0, quotaFiles: 0 };
const LOG: Log = openLog({ logLevel: process.env.TEST_LOG === undefined ? 'silent' : 'debug' });

/** What one daemon process would hold of the core, without the sweeper: tests decide when time passes. */
export interface Household {
  readonly runs: InnerRuns;
  readonly parts: RunParts;
}

function openHousehold(
  db: OpenedDatabase['db'],
  root: DataRoot,
  instance: string,
  clock: () => Date,
  severalProcesses = false,
): Household {
  const locks: Locks = openLocks({ db, instance, clock, severalProcesses });
  const recounts = openRecounts({ db, root, locks, announce });
  const news = openNews({ db, clock });
  const demandAlive = () => undefined;
  const quota = openQuota({
    ...{ db, instance, recount: recounts.recount },
    disk: openDisk(root, 0),
    demandAlive,
    missed: news.missed,
    announce,
  });
  const workspaces = openWorkspaces({ db, clock, defaults: NO_LIMITS });
  const volumes = openVolumes({ db, root, instance, quota, locks, news, recounts, workspaces });
  const abandonRun = (tenant: TenantId, agent: AgentId): Promise<void> => runs.abandon(tenant, agent);
  const ownership = ownershipOf({ daemon: daemonOwner(), wanted: null, giving: root.giving });
  const agents = openAgents({ db, root, locks, volumes, workspaces, ownership, abandonRun });
  const contents = openContents({ db, root, locks });
  const links = openLinks([{ id: 'k', secret: Buffer.alloc(32, 1) } as never], clock);
  const onKept = (tenant: TenantId, object: FileObject) => runs.deliver(tenant, object);
  const objects = openObjects({ db, clock, quota, locks, contents, links, announce, onKept });
  const parts: RunParts = {
    db,
    clock,
    instance,
    volumes,
    objects,
    agents,
    locks,
    log: LOG,
    metrics: uncounted(),
    news,
    announce,
    watches: openWatches({ root, maxDirs: 1000 }),
  };
  const runs = openRuns(parts);
  return { runs, parts };
}

/** A disk and a database, opened once for all tests of a file. */
export class Site {
  readonly database: TestDatabase;
  readonly opened: OpenedDatabase;
  readonly directory: Temporary;
  readonly root: DataRoot;
  readonly household: Household;
  now = new Date();

  static async open(kind: DatabaseKind): Promise<Site> {
    const database = await kind.create();
    const opened = await openDatabase(database.url, { durability: 'none' });
    const directory = temporaryDirectory();
    const root = await openDataRoot({ path: directory.path, instance: 'house', durability: 'none' });
    await registerInstance(opened.db, {
      ...{ id: 'house', host: 'test', pid: process.pid, process_start: '' },
      ...{ started_at: 0, lease_until: Number.MAX_SAFE_INTEGER },
    });
    return new Site(database, opened, directory, root);
  }

  private constructor(database: TestDatabase, opened: OpenedDatabase, directory: Temporary, root: DataRoot) {
    this.database = database;
    this.opened = opened;
    this.directory = directory;
    this.root = root;
    this.household = openHousehold(opened.db, root, 'house', () => this.now);
  }

  async close(): Promise<void> {
    await this.household.runs.close();
    await this.opened.close();
    await this.database.drop();
    this.directory[Symbol.dispose]();
  }
}

/** A tenant of its own with a store, workspaces and objects, on a real disk and a real database. */
export class House {
  readonly tenant = `t${randomUUID()}` as TenantId;
  readonly grant: Grant = systemGrant(this.tenant);
  readonly runs: InnerRuns;
  readonly parts: RunParts;
  readonly #site: Site;

  static async open(site: Site): Promise<House> {
    const house = new House(site);
    await house.limit({});
    return house;
  }

  private constructor(site: Site) {
    this.#site = site;
    this.runs = site.household.runs;
    this.parts = site.household.parts;
  }

  get db(): OpenedDatabase['db'] {
    return this.#site.opened.db;
  }

  get storeRef(): VolumeRef {
    return { kind: 'store', tenant: this.tenant };
  }

  workspaceRef(agent: AgentId = AGENT): VolumeRef {
    return { kind: 'workspace', tenant: this.tenant, agent };
  }

  /** Another process over the same root and database; `disguise` may stand between it and the disk. */
  another(instance: string, disguise: (root: DataRoot) => DataRoot = (root) => root): Household {
    return openHousehold(this.db, disguise(this.#site.root), instance, () => this.#site.now);
  }

  /** One of several processes that work at the same time. */
  async member(instance: string): Promise<Household> {
    const started = { started_at: 0, lease_until: Number.MAX_SAFE_INTEGER };
    await registerInstance(this.db, { id: instance, host: 'test', pid: process.pid, process_start: '', ...started });
    return openHousehold(this.db, this.#site.root, instance, () => new Date(), true);
  }

  pass(seconds: number): void {
    this.#site.now = new Date(this.#site.now.getTime() + seconds * 1000);
  }

  async limit(limits: { readonly quotaBytes?: number; readonly quotaFiles?: number }): Promise<void> {
    const tenants = openTenants({
      announce,
      ...{ db: this.db, root: this.#site.root, clock: () => this.#site.now, autocreate: true, defaults: NO_LIMITS },
      abandonRun: async () => undefined,
      forgetUsage: async () => undefined,
    });
    await tenants.put(this.tenant, limits);
  }

  async store(files: Readonly<Record<string, string>>): Promise<void> {
    const volume = await this.parts.volumes.open(this.grant, this.storeRef, 'write');
    for (const [path, content] of Object.entries(files)) {
      await volume.write(parsePath(path), Readable.from([Buffer.from(content)]), { mode: 'upsert', maxBytes: 1e9 });
    }
  }

  async upload(content: string, meta: Partial<ObjectMeta>): Promise<FileObject> {
    const received = await this.objects.receive(this.tenant, Readable.from([Buffer.from(content)]), { maxBytes: 1e9 });
    return received.keep(this.grant, {
      ...{ filename: null, purpose: 'agent_input', userId: null, agentId: null, sessionId: null },
      ...meta,
    });
  }

  get objects(): ReturnType<typeof openObjects> {
    return this.parts.objects as ReturnType<typeof openObjects>;
  }

  start(wanted: Partial<RunWanted> = {}, agent: AgentId = AGENT): Promise<Run> {
    return this.runs.start(this.grant, agent, wantedRun(wanted));
  }

  async finish(run: Run, status: 'completed' | 'failed' | 'cancelled' = 'completed'): Promise<Run> {
    return this.runs.finish(this.grant, run.agent, run.id, status);
  }

  /** The host's path of something in a workspace: where the agent's container sees it. */
  disk(path = '', agent: AgentId = AGENT): string {
    return join(this.#site.directory.path, 'tenants', this.tenant, 'agents', agent, 'tree', path);
  }

  /** As `disk`, with the directories above it made. */
  made(path: string, agent: AgentId = AGENT): string {
    mkdirSync(dirname(this.disk(path, agent)), { recursive: true });
    return this.disk(path, agent);
  }

  staging(agent: AgentId = AGENT): readonly string[] {
    return readdirSync(join(this.disk('', agent), '..', 'staging'));
  }

  /** Every path of a workspace with its mode and content, as text to compare. */
  listing(agent: AgentId = AGENT): readonly string[] {
    const top = this.disk('', agent);
    const names = readdirSync(top, { recursive: true, withFileTypes: true });
    return names
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
        const content = entry.isFile() ? readFileSync(path, 'latin1') : '';
        const target = entry.isSymbolicLink() ? ` => ${readlinkSync(path)}` : '';
        return `${path.slice(top.length + 1)}${entry.isDirectory() ? '/' : ''} ${mode.toString(8)} ${content}${target}`;
      })
      .sort();
  }

  async usage(agent: AgentId = AGENT): Promise<Usage> {
    const { usage } = await (this.parts.agents as ReturnType<typeof openAgents>).get(this.tenant, agent);
    return usage;
  }

  /** The outputs of a run as `path: content`. */
  async outputs(run: Run): Promise<readonly string[]> {
    const page = await this.runs.outputs(this.grant, run.id, { limit: 1000, cursor: null });
    const lines: string[] = [];
    for (const object of page.items) {
      const { file } = await this.objects.open(this.grant, object.id);
      const content = await file.bytes(1e9);
      await file.close();
      lines.push(`${object.path}: ${content.toString('latin1')}`);
    }
    return lines.sort();
  }

  async skipped(run: Run): Promise<readonly string[]> {
    return (await this.runs.skipped(run.id)).map(({ path, reason }) => `${path}: ${reason}`);
  }

  async seeded(run: Run): Promise<readonly string[]> {
    const page = await this.runs.seeded(run.id, { limit: 1000, cursor: null });
    return page.items.map(({ path }) => path).sort();
  }
}

export function wantedRun(wanted: Partial<RunWanted>): RunWanted {
  return {
    ...{ seeds: [], inputs: 'all', userId: null, sessionId: null, onConflict: 'replace', timeoutSeconds: 3600 },
    capture: { enabled: true, include: [], exclude: null },
    ...wanted,
  };
}

export function fromStore(store: string, to: string | null = null, mode: 'rw' | 'ro' = 'rw'): RunWanted['seeds'][0] {
  return { from: { store }, to, mode };
}

export function fromObject(object: ObjectId, to: string | null = null): RunWanted['seeds'][0] {
  return { from: { object }, to, mode: 'rw' };
}
