import type { Readable } from 'node:stream';
import type { Grant, VolumeRef } from '../auth/grant.ts';
import type { AgentId, ObjectId, RunId, TenantId } from '../ids.ts';
import type { Count, Entry } from '../tree/entry.ts';
import type { TreePath } from '../tree/path.ts';
import type { Staged } from '../tree/staging.ts';
import type { Listing, OpenFile, Page, PlaceMode, WalkBounds } from '../tree/tree.ts';

/** The whole product, as its nouns. Made by `openCore` in daemon.ts's order; dialects get exactly this. */
export interface Core {
  readonly tenants: Tenants;
  readonly keys: Keys;
  readonly agents: Agents;
  readonly volumes: Volumes;
  readonly attributes: Attributes;
  readonly objects: Objects;
  readonly runs: Runs;
}

// ---- volumes ---------------------------------------------------------------------------------------------------------

export interface Volumes {
  /**
   * The only door to a volume. A store comes into being with its tenant; a workspace by `agents.create`, a run, or the
   * first opening for writing. @throws forbidden, not_found (reading a workspace that never was)
   */
  open(grant: Grant, ref: VolumeRef, right: 'read'): Promise<ReadVolume>;
  open(grant: Grant, ref: VolumeRef, right: 'write'): Promise<Volume>;
  /** Counts the disk and mends the ledger (unless `dryRun`), for every part of the tenant. */
  rescan(tenant: TenantId, options: { readonly dryRun: boolean }): Promise<Rescan>;
}

export interface Rescan {
  readonly ledger: Count;
  readonly disk: Count;
  readonly drift: Count;
  readonly repaired: boolean;
}

/** What a conditional write demands of the path: nothing, an entry with one of these versions ('*': any), or no entry. */
export type Expected = { readonly versions: readonly string[] } | { readonly absent: true } | null;

export interface ReadVolume {
  readonly ref: VolumeRef;
  stat(path: TreePath): Promise<Entry>;
  find(path: TreePath): Promise<Entry | null>;
  open(path: TreePath): Promise<OpenFile>;
  list(dir: TreePath, page: Page): Promise<Listing>;
  walk(dir: TreePath, bounds: WalkBounds): AsyncIterable<Entry>;
}

export interface Volume extends ReadVolume {
  /** Reserve, receive, place, settle: the whole of a write. Parents are made. @throws exists, not_found, too_large, quota_exceeded, precondition_failed */
  write(path: TreePath, body: Readable, options: WriteOptions): Promise<Entry>;
  /** A write in steps, for several files under one reservation that land together or not at all. */
  intake(): Intake;
  mkdir(dir: TreePath): Promise<{ readonly entry: Entry; readonly created: boolean }>;
  /** Copies a file, link or whole directory, with modes, times and attributes. A directory appears in one step. */
  copy(from: TreePath, to: TreePath, options: { readonly overwrite: boolean }): Promise<Entry>;
  /** Attributes follow. Parents of `to` are made. @throws exists, not_found, invalid_request (onto or into itself) */
  move(from: TreePath, to: TreePath, options: { readonly overwrite: boolean }): Promise<Entry>;
  /** @throws not_found, not_empty, is_directory (a directory without `recursive`), precondition_failed */
  remove(path: TreePath, options: { readonly recursive: boolean; readonly expected?: Expected }): Promise<Count>;
  chmod(path: TreePath, mode: number): Promise<Entry>;
  utimes(path: TreePath, modifiedAt: Date): Promise<Entry>;
}

export interface WriteOptions {
  readonly mode: PlaceMode;
  readonly maxBytes: number;
  /** Content-Length where the client declared one: reserved at once. */
  readonly declaredBytes?: number | null;
  readonly expected?: Expected;
  /** Permission bits of the new file; default 0o644, or those of the file it replaces. */
  readonly permissions?: number;
}

export interface Placement {
  readonly path: TreePath;
  readonly staged: Staged;
  readonly mode: PlaceMode;
  readonly expected?: Expected;
}

/** Files received under one growing reservation. End it by `commit` or `abort`, always. */
export interface Intake {
  /** @throws too_large, quota_exceeded */
  receive(body: Readable, options: { readonly maxBytes: number; readonly declaredBytes?: number | null; readonly permissions?: number }): Promise<Staged>;
  /** A copy of an opened file of any volume or object; closes it. @throws quota_exceeded */
  copy(source: OpenFile, options?: { readonly permissions?: number }): Promise<Staged>;
  /** Reserves this many bytes and files beyond what is reserved, in one go. @throws quota_exceeded */
  reserve(count: Count): Promise<void>;
  /**
   * Flushes all, makes parents, places each, flushes each changed directory once, settles. What can be refused is refused
   * before the first is placed. With a journal, every step is recorded before it is taken and what is replaced is kept aside.
   */
  commit(placements: readonly Placement[], journal?: PlacementJournal): Promise<readonly Entry[]>;
  abort(): Promise<void>;
}

/** Told before anything changes what will; see core/journal.ts. */
export interface PlacementJournal {
  readonly owner: string;
  record(steps: readonly JournalStep[]): Promise<void>;
}

export interface JournalStep {
  readonly path: TreePath;
  readonly kind: 'file' | 'directory';
  readonly inode: string;
  readonly aside: string | null;
}

// ---- attributes ------------------------------------------------------------------------------------------------------

export interface PathAttributes {
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Tags and custom metadata by path. Volume.move, copy and remove keep them true. */
export interface Attributes {
  get(ref: VolumeRef, path: TreePath): Promise<PathAttributes>;
  set(ref: VolumeRef, path: TreePath, patch: Partial<PathAttributes>): Promise<PathAttributes>;
}

// ---- tenants, keys, agents -------------------------------------------------------------------------------------------

export interface Limits {
  /** 0 = no limit. */
  readonly quotaBytes: number;
  readonly quotaFiles: number;
}

export interface Usage extends Count, Limits {
  readonly reservedBytes: number;
}

export interface Tenant {
  readonly id: TenantId;
  readonly usage: Usage;
  readonly createdAt: Date;
}

export interface Tenants {
  /** The tenant of a credential may act: makes it where that is allowed. Cached for seconds. @throws forbidden (deleted, or unknown and not made) */
  admit(tenant: TenantId): Promise<void>;
  get(tenant: TenantId): Promise<Tenant>;
  list(page: PageRequest): Promise<PageOf<Tenant>>;
  /** Makes it, brings a deleted one back empty, or changes its limits. */
  put(tenant: TenantId, limits: Partial<Limits>): Promise<{ readonly tenant: Tenant; readonly created: boolean }>;
  /** Everything it holds goes; a tombstone stays. @throws not_found */
  remove(tenant: TenantId): Promise<void>;
}

export interface Key {
  readonly id: string;
  readonly scope: string | null;
  readonly agent: AgentId | null;
  readonly createdAt: Date;
}

export interface Keys {
  /** `secret` is shown this once. @throws invalid_request for a scope or agent id that is none */
  create(tenant: TenantId, wanted: { readonly scope?: string | null; readonly agent?: string | null }): Promise<Key & { readonly secret: string }>;
  list(tenant: TenantId): Promise<readonly Key[]>;
  /** @throws not_found */
  revoke(tenant: TenantId, id: string): Promise<void>;
  /** The grant of a presented key, or null. What auth asks; cached for less than 5 seconds. */
  lookUp(secret: string): Promise<Grant | null>;
}

export interface Agent {
  readonly id: AgentId;
  readonly userId: string | null;
  readonly shared: boolean;
  readonly lifecycle: 'persistent' | 'ephemeral';
  readonly usage: Usage;
  readonly liveRun: RunId | null;
  readonly expiresAfterSeconds: number | null;
  readonly createdAt: Date;
  readonly activeAt: Date;
}

export interface AgentWanted extends Partial<Limits> {
  readonly agentId?: AgentId;
  readonly userId?: string;
  readonly shared?: boolean;
  readonly lifecycle?: 'persistent' | 'ephemeral';
  readonly expiresAfterSeconds?: number;
}

export interface Mount {
  readonly hostPath: string;
  readonly uid: number;
  readonly gid: number;
  /** Octal text such as "0755". */
  readonly mode: string;
  readonly strategy: string;
}

export interface Agents {
  /** @throws exists */
  create(tenant: TenantId, wanted: AgentWanted): Promise<Agent>;
  get(tenant: TenantId, agent: AgentId): Promise<Agent>;
  list(tenant: TenantId, page: PageRequest): Promise<PageOf<Agent>>;
  /** @throws not_found, run_live unless forced (then the run is cancelled uncaptured) */
  remove(tenant: TenantId, agent: AgentId, options: { readonly force: boolean }): Promise<void>;
  mount(tenant: TenantId, agent: AgentId): Promise<Mount>;
}

// ---- objects ---------------------------------------------------------------------------------------------------------

export type Purpose = 'agent_input' | 'agent_output' | 'knowledge';

export interface FileObject {
  readonly id: ObjectId;
  readonly filename: string | null;
  readonly mimeType: string;
  readonly size: number;
  readonly purpose: Purpose | null;
  readonly userId: string | null;
  readonly agentId: AgentId | null;
  readonly sessionId: string | null;
  readonly runId: RunId | null;
  readonly path: TreePath | null;
  readonly sha256: string;
  readonly createdAt: Date;
}

export interface ObjectMeta {
  readonly filename: string | null;
  /** Detected from the bytes, then the name, where null. */
  readonly mimeType?: string | null;
  readonly purpose: Purpose | null;
  readonly userId: string | null;
  readonly agentId: AgentId | null;
  readonly sessionId: string | null;
  readonly runId?: RunId | null;
  readonly path?: TreePath | null;
}

export interface ObjectFilter {
  readonly userId?: string;
  readonly purpose?: Purpose;
  readonly agentId?: AgentId;
  readonly sessionId?: string;
  readonly runId?: RunId;
}

/** Id-addressed files. A grant bound to a user or an agent sees and makes only that one's; all else is not_found. */
export interface Objects {
  /** Receives into the tenant's object staging under a reservation. End it by `keep` or `discard`. */
  receive(tenant: TenantId, body: Readable, options: { readonly maxBytes: number; readonly declaredBytes?: number | null }): Promise<ReceivedObject>;
  get(grant: Grant, id: ObjectId): Promise<FileObject>;
  open(grant: Grant, id: ObjectId): Promise<{ readonly object: FileObject; readonly file: OpenFile }>;
  list(grant: Grant, filter: ObjectFilter, page: PageRequest): Promise<PageOf<FileObject>>;
  /** Again for one already deleted: nothing. @throws not_found */
  remove(grant: Grant, id: ObjectId): Promise<void>;
  /** A URL path and query under `/signed` that serves the object until `expiresAt`. */
  link(grant: Grant, id: ObjectId, ttlSeconds: number): Promise<{ readonly path: string; readonly expiresAt: Date }>;
}

export interface ReceivedObject {
  readonly staged: Staged;
  /** Registers it: durable, its content kept once. An `agent_input` of a user with a live run is delivered into that workspace. */
  keep(grant: Grant, meta: ObjectMeta): Promise<FileObject>;
  discard(): Promise<void>;
}

// ---- runs ------------------------------------------------------------------------------------------------------------

export type RunStatus = 'preparing' | 'running' | 'completed' | 'failed' | 'cancelled';
export type FinalStatus = 'completed' | 'failed' | 'cancelled';

/** An instruction to copy in: a store path (file, directory or glob) or an object. */
export interface Seed {
  /** The store path is text as the client wrote it: a file, a directory or a glob. */
  readonly from: { readonly store: string } | { readonly object: ObjectId };
  /** As the client wrote it, since a trailing slash has meaning: into that directory. Directories and globs always land below it. */
  readonly to: string | null;
  readonly mode: 'rw' | 'ro';
}

export interface CaptureRules {
  readonly enabled: boolean;
  readonly include: readonly string[];
  /** null = the defaults. */
  readonly exclude: readonly string[] | null;
}

export interface RunWanted {
  readonly seeds: readonly Seed[];
  readonly inputs: 'all' | 'none' | readonly ObjectId[];
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly onConflict: 'replace' | 'keep' | 'fail';
  readonly capture: CaptureRules;
  readonly timeoutSeconds: number;
}

export interface Seeded {
  readonly path: TreePath;
  readonly size: number;
  readonly sha256: string;
  readonly source: { readonly path: string } | { readonly fileId: ObjectId };
}

export interface Skipped {
  readonly path: TreePath;
  readonly reason: string;
}

export interface Run {
  readonly id: RunId;
  readonly agent: AgentId;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly status: RunStatus;
  readonly seededFiles: number;
  readonly seededBytes: number;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

export interface Runs {
  /** @throws not_found (a seed, named), conflict, exists, run_live, quota_exceeded; nothing has changed then */
  start(grant: Grant, agent: AgentId, wanted: RunWanted): Promise<Run>;
  /** Copies seeds into a workspace outside a run (POST /agent with `files`): as all-or-nothing as a run's. */
  seedOnce(grant: Grant, agent: AgentId, seeds: readonly Seed[]): Promise<readonly Seeded[]>;
  get(grant: Grant, agent: AgentId, run: RunId): Promise<Run>;
  list(grant: Grant, agent: AgentId, page: PageRequest): Promise<PageOf<Run>>;
  seeded(run: RunId, page: PageRequest): Promise<PageOf<Seeded>>;
  outputs(grant: Grant, run: RunId, page: PageRequest): Promise<PageOf<FileObject>>;
  skipped(run: RunId): Promise<readonly Skipped[]>;
  /** @throws not_found, conflict (finished) */
  heartbeat(grant: Grant, agent: AgentId, run: RunId): Promise<Run>;
  /** Captures what changed, then ends the run. Again with the same status: the same answer. @throws conflict */
  finish(grant: Grant, agent: AgentId, run: RunId, status: FinalStatus): Promise<Run>;
}

// ---- paging ----------------------------------------------------------------------------------------------------------

export interface PageRequest {
  readonly limit: number;
  /** Opaque text from the page before, or null. @throws invalid_request where it is none of ours */
  readonly cursor: string | null;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
