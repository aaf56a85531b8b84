import type { Grant } from '../auth/grant.ts';
import type { AgentId, RunId, TenantId } from '../ids.ts';
import type { Count } from '../tree/entry.ts';
import type { Owner } from '../tree/root.ts';
import type { PageOf, PageRequest } from './page-types.ts';

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
  /** `secret` is shown this once. @throws invalid_request for a scope or agent id that is none, or a scope no agent ever has */
  create(
    tenant: TenantId,
    wanted: { readonly scope?: string | null; readonly agent?: string | null },
  ): Promise<Key & { readonly secret: string }>;
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

/** How the daemon and an agent, in its mount, can each change what the other made. See docs/containers.md. */
export type OwnershipStrategy = 'same-uid' | 'capabilities' | 'idmapped-mount';

export interface Mount {
  /** The workspace's directory, as container engines find it. */
  readonly hostPath: string;
  /** Who owns it on the disk. */
  readonly uid: number;
  readonly gid: number;
  /** Octal text such as "0755". */
  readonly mode: string;
  readonly strategy: OwnershipStrategy;
  /** Who agents were meant to run as: another than the owner only where a mount has to map the one to the other. */
  readonly agent: Owner;
  /** For people: what holds, and what this deployment cannot do. */
  readonly sentence: string;
}

export interface Agents {
  /** @throws exists */
  create(tenant: TenantId, wanted: AgentWanted): Promise<Agent>;
  get(tenant: TenantId, agent: AgentId): Promise<Agent>;
  list(tenant: TenantId, page: PageRequest): Promise<PageOf<Agent>>;
  /** @throws not_found, run_live unless forced (then the run is cancelled uncaptured) */
  remove(tenant: TenantId, agent: AgentId, options: { readonly force: boolean }): Promise<void>;
  /** @throws not_found */
  mount(tenant: TenantId, agent: AgentId): Promise<Mount>;
}
