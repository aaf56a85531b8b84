import type { VolumeRef } from '../auth/grant.ts';
import type { AgentId, TenantId } from '../ids.ts';
import type { Count, Entry } from '../tree/entry.ts';

/** What bytes and files are charged to: one part of a tenant, and through it the tenant as a whole (`part` ''). */
export interface Account {
  readonly tenant: TenantId;
  readonly part: string;
}

export const NOTHING: Count = { bytes: 0, files: 0 };

const WORKSPACE = 'workspace/';

export function accountOf(ref: VolumeRef): Account {
  return { tenant: ref.tenant, part: ref.kind === 'store' ? 'store' : workspacePart(ref.agent) };
}

export function objectsAccount(tenant: TenantId): Account {
  return { tenant, part: 'objects' };
}

export function workspacePart(agent: AgentId): string {
  return `${WORKSPACE}${agent}`;
}

/** The volume an account belongs to; null for objects and for the tenant as a whole. */
export function volumeOf({ tenant, part }: Account): VolumeRef | null {
  if (part === 'store') return { kind: 'store', tenant };
  if (!part.startsWith(WORKSPACE)) return null;
  // The part was made by workspacePart, so what follows the prefix is an agent id.
  return { kind: 'workspace', tenant, agent: part.slice(WORKSPACE.length) as AgentId };
}

/** The agent whose workspace the account is of, or null. */
export function agentOf(account: Account): AgentId | null {
  const ref = volumeOf(account);
  return ref?.kind === 'workspace' ? ref.agent : null;
}

/** The name an account's path locks go by. */
export function lockName({ tenant, part }: Account): string {
  return `${tenant}/${part}`;
}

/** Where the account's home lies below the data root. */
export function homeOf({ tenant, part }: Account): readonly string[] {
  const ref = volumeOf({ tenant, part });
  return ref?.kind === 'workspace' ? ['tenants', tenant, 'agents', ref.agent] : ['tenants', tenant, part];
}

/** How people read an account in an error. */
export function nameAccount({ tenant, part }: Account): string {
  if (part === '') return `tenant ${tenant}`;
  const ref = volumeOf({ tenant, part });
  if (ref === null) return `the files of tenant ${tenant}`;
  return ref.kind === 'store' ? `the store of tenant ${tenant}` : `workspace ${ref.agent}`;
}

/** What an account is charged for an entry that is there, or nothing where none is. */
export function chargeOf(entry: Entry | null): Count {
  return entry === null ? NOTHING : { bytes: entry.charged, files: 1 };
}

/** What taking this name away gives back: nothing while the same inode has other names, as inodes count once. */
export function freedBy(entry: Entry | null): Count {
  return entry !== null && entry.kind !== 'directory' && entry.links > 1 ? NOTHING : chargeOf(entry);
}

export function add(one: Count, other: Count): Count {
  return { bytes: one.bytes + other.bytes, files: one.files + other.files };
}

export function subtract(one: Count, other: Count): Count {
  return { bytes: one.bytes - other.bytes, files: one.files - other.files };
}
