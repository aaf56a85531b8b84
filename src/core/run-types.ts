import type { Grant } from '../auth/grant.ts';
import type { AgentId, ObjectId, RunId } from '../ids.ts';
import type { TreePath } from '../tree/path.ts';
import type { FileObject } from './objects/object-types.ts';
import type { PageOf, PageRequest } from './page-types.ts';

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
  /** By path within a page; the pages stay the same while a live run is captured. */
  outputs(grant: Grant, run: RunId, page: PageRequest): Promise<PageOf<FileObject>>;
  skipped(run: RunId): Promise<readonly Skipped[]>;
  /** @throws not_found, conflict (finished) */
  heartbeat(grant: Grant, agent: AgentId, run: RunId): Promise<Run>;
  /** Captures what changed, then ends the run. Again with the same status: the same answer. @throws conflict */
  finish(grant: Grant, agent: AgentId, run: RunId, status: FinalStatus): Promise<Run>;
}
