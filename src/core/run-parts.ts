import type { VolumeRef } from '../auth/grant.ts';
import type { Clock } from '../clock.ts';
import { endRun, type NewRun, type StoredRun } from '../db/runs.ts';
import type { Database } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import type { AgentId, ObjectId, RunId, TenantId } from '../ids.ts';
import type { Log } from '../log.ts';
import type { TreePath } from '../tree/path.ts';
import type { Home } from '../tree/root.ts';
import type { OpenFile } from '../tree/tree.ts';
import type {
  Agents,
  CaptureRules,
  FileObject,
  FinalStatus,
  ObjectMeta,
  Objects,
  Run,
  RunWanted,
  Volumes,
} from './core.ts';
import type { CoreMetrics } from './core-parts.ts';
import type { News } from './feeds/news.ts';
import type { Locks } from './locks.ts';
import type { Watches } from './watches.ts';
import type { Announce } from './webhooks/announcer.ts';
import { aboutEnd } from './webhooks/event-data.ts';

/** What runs ask of volumes beyond the door: where a workspace lies on disk, and that its ledger is made true. */
export interface RunVolumes extends Pick<Volumes, 'open'> {
  home(ref: VolumeRef): Promise<Home>;
  recount(ref: VolumeRef): Promise<unknown>;
}

/** What runs ask of objects beyond what clients may: the daemon's own copies in and out. */
export interface RunObjects extends Pick<Objects, 'list' | 'remove'> {
  find(tenant: TenantId, id: ObjectId): Promise<FileObject | null>;
  openContent(tenant: TenantId, object: FileObject): Promise<OpenFile>;
  /** A new object with a copy of the file; closes it. @throws quota_exceeded, conflict when it changed meanwhile */
  keepCopy(tenant: TenantId, source: OpenFile, meta: ObjectMeta): Promise<FileObject>;
  /** The object with new content. @throws as keepCopy, and not_found */
  replaceCopy(tenant: TenantId, id: ObjectId, source: OpenFile): Promise<FileObject>;
}

/** What runs ask of agents. */
export interface RunAgents extends Pick<Agents, 'create' | 'remove'> {
  /** Removes an ephemeral workspace after its run, which can still be read. */
  retire(tenant: TenantId, agent: AgentId): Promise<void>;
}

export interface RunParts {
  readonly db: Database;
  readonly clock: Clock;
  /** The id of this process in the table of instances. */
  readonly instance: string;
  readonly volumes: RunVolumes;
  readonly objects: RunObjects;
  readonly agents: RunAgents;
  readonly locks: Locks;
  readonly log: Log;
  readonly metrics: CoreMetrics;
  readonly news: Pick<News, 'missed'>;
  readonly watches: Pick<Watches, 'watch'>;
  readonly announce: Announce;
}

/** Copy-ins outside a run go by ids of their own, so that nobody takes one that a crash left behind for a run. */
export const SEED_ONCE_PREFIX = 'seed_';

export function isSeedOnce(run: StoredRun): boolean {
  return run.id.startsWith(SEED_ONCE_PREFIX);
}

export type Workspace = Extract<VolumeRef, { kind: 'workspace' }>;

/** Where the files of end users appear in a workspace. */
export const INPUT_DIRECTORY = 'data' as TreePath;

/** How deep and how far the daemon looks into a tree on its own account: at a copy-in, a manifest and a capture. */
export const WALK_DEPTH = 512;
export const WALK_ENTRIES = 1_000_000;

export function workspaceOf(run: StoredRun): Workspace {
  // The columns were filled from ids of these kinds.
  return { kind: 'workspace', tenant: run.tenant as TenantId, agent: run.agent as AgentId };
}

/** A new run as it is recorded while it is prepared. It has no deadline yet. */
export function newRun(
  parts: RunParts,
  id: RunId,
  { tenant, agent }: Workspace,
  wanted: Omit<RunWanted, 'seeds' | 'onConflict'>,
): NewRun & StoredRun {
  return {
    id,
    tenant,
    agent,
    user_id: wanted.userId,
    session_id: wanted.sessionId,
    status: 'preparing',
    instance: parts.instance,
    finishing: null,
    capture: JSON.stringify(wanted.capture),
    inputs: JSON.stringify(wanted.inputs),
    timeout_seconds: wanted.timeoutSeconds,
    deadline_at: 0,
    seeded_files: 0,
    seeded_bytes: 0,
    started_at: parts.clock().getTime(),
    finished_at: null,
  };
}

/** Makes the status final, as `endRun` does, and announces and counts it unless it was final before. */
export async function recordEnd(
  parts: RunParts,
  run: StoredRun,
  status: FinalStatus,
  options?: { readonly keepPlace: boolean },
): Promise<void> {
  const now = parts.clock().getTime();
  const ended = await inTransaction(parts.db, async (transaction) => {
    if (!(await endRun(transaction, run, status, now, options))) return false;
    const about = () => aboutEnd(transaction, run, status, now);
    if (!isSeedOnce(run)) await parts.announce(transaction, workspaceOf(run).tenant, 'run.finished', about);
    return true;
  });
  if (ended) parts.metrics.run(status);
}

export function captureRulesOf(run: StoredRun): CaptureRules {
  // Written by newRun and by nobody else.
  return JSON.parse(run.capture) as CaptureRules;
}

/** True when the run takes every input of its user, also those uploaded while it goes on. */
export function takesAllInputs(run: StoredRun): boolean {
  return run.inputs === JSON.stringify('all');
}

export function toRun(row: StoredRun): Run {
  return {
    id: row.id as RunId,
    agent: row.agent as AgentId,
    userId: row.user_id,
    sessionId: row.session_id,
    status: row.status,
    seededFiles: row.seeded_files,
    seededBytes: row.seeded_bytes,
    startedAt: new Date(row.started_at),
    finishedAt: row.finished_at === null ? null : new Date(row.finished_at),
  };
}
