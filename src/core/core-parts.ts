import type { LinkClaim } from '../auth/link.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../db/schema.ts';
import type { Log } from '../log.ts';
import type { DataRoot } from '../tree/root.ts';
import type { Web } from '../web/web.ts';
import type { FinalStatus, Limits } from './core.ts';
import type { Ownership } from './ownership.ts';

/** Signs links to objects; see auth/link.ts. */
export interface LinkSigner {
  sign(path: string, claim: LinkClaim, expiresAt: Date): string;
}

/** Encrypts what the database keeps and must not show; see auth/seal.ts. */
export interface Sealer {
  seal(text: string, context: string): string;
  open(sealed: string, context: string): string | null;
}

/** Told of what operators want to see in numbers. */
export interface CoreMetrics {
  /** A run reached this status. */
  run(status: 'running' | FinalStatus): void;
  /** Files were copied in, for a run or without one. */
  copyIn(seconds: number, bytes: number): void;
  /** The end of a run was captured: it has this many outputs. */
  capture(seconds: number, files: number): void;
  /** Things went because their time was over, or the process that owned them. */
  swept(kind: 'agent' | 'content' | 'lock' | 'object' | 'slot' | 'staging' | 'upload', count: number): void;
  /** Attempts to tell webhooks that came to this; `lost` are events that are not tried again. */
  announced(outcome: 'received' | 'failed' | 'lost', count: number): void;
}

export interface CoreLimits {
  /** Defaults of a new tenant and of a new workspace; 0 = no limit. */
  readonly tenant: Limits;
  readonly workspace: Limits;
  /** Whether a tenant comes into being by a credential that names it. */
  readonly tenantAutocreate: boolean;
  /** Free disk below which every write is refused; 0 = none is kept back. */
  readonly diskReserveBytes: number;
  /** Directories watched per workspace; beyond it, scans. */
  readonly watchMaxDirs: number;
  /** How far back the changes of a volume can be asked for, and how long after the last question they are recorded. */
  readonly eventsRetentionMs: number;
}

/** All that core is made of. */
export interface CoreParts {
  readonly db: Database;
  readonly root: DataRoot;
  /** The id of this process: new at every start, and the owner of what it stages (the root was opened with it too). */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly links: LinkSigner;
  readonly seals: Sealer;
  readonly limits: CoreLimits;
  /** Of what the daemon makes in workspaces. */
  readonly ownership: Ownership;
  /** True where other daemon processes may serve the same root and database. */
  readonly severalProcesses: boolean;
  readonly metrics: CoreMetrics;
  /** Where imports come from; null: they are switched off. */
  readonly web: Pick<Web, 'get'> | null;
  /** How webhooks are called. */
  readonly webhooks: Pick<Web, 'post' | 'demandPostable'>;
}
