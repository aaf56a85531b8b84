import { LRUCache } from 'lru-cache';
import { demand, type Grant, type Scope, type VolumeRef } from '../auth/grant.ts';
import type { Database } from '../db/schema.ts';
import { FsError } from '../errors.ts';
import type { AgentId, TenantId } from '../ids.ts';
import type { DataRoot, Home } from '../tree/root.ts';
import { accountOf, homeOf, lockName } from './account.ts';
import { ASSEMBLY_TURNS } from './archives/assembly.ts';
import type { ReadVolume, Rescan, Volume, Volumes } from './core.ts';
import type { News } from './feeds/news.ts';
import type { Locks } from './locks.ts';
import type { Quota } from './quota.ts';
import type { Recounted, Recounts } from './recount.ts';
import { Turns } from './turns.ts';
import { openReadVolume, openVolume } from './volume.ts';
import type { VolumeParts } from './volume-parts.ts';

/** Knows which workspaces there are. */
export interface Workspaces {
  exists(tenant: TenantId, agent: AgentId): Promise<boolean>;
  /** Makes the workspace where there is none, and notes that it is in use. */
  ensure(tenant: TenantId, agent: AgentId): Promise<void>;
}

export interface VolumesParts {
  readonly db: Database;
  readonly root: DataRoot;
  readonly instance: string;
  readonly quota: Quota;
  readonly locks: Locks;
  readonly news: News;
  readonly recounts: Recounts;
  readonly workspaces: Workspaces;
}

/** What core itself asks of volumes besides the door. */
export interface InnerVolumes extends Volumes {
  home(ref: VolumeRef): Promise<Home>;
  /** What a volume that is there is made of, for what the daemon itself places in it. */
  parts(ref: VolumeRef): Promise<VolumeParts>;
  recount(ref: VolumeRef): Promise<Recounted>;
  /** Forgets what is remembered of a volume that was removed. */
  forget(ref: VolumeRef): void;
}

const MAX_KNOWN = 10_000;
// Another process may remove a workspace: what is remembered of one is believed for no longer than this.
const KNOWN_MS = 2000;

export function openVolumes(parts: VolumesParts): InnerVolumes {
  const assemblies = new Turns(ASSEMBLY_TURNS);
  const known = new LRUCache<string, 'read' | 'write'>({ max: MAX_KNOWN, ttl: KNOWN_MS });

  async function admit(ref: VolumeRef, right: 'read' | 'write'): Promise<void> {
    if (ref.kind === 'store') return;
    const name = lockName(accountOf(ref));
    const remembered = known.get(name);
    if (remembered === 'write' || remembered === right) return;
    if (right === 'write') await parts.workspaces.ensure(ref.tenant, ref.agent);
    else if (!(await parts.workspaces.exists(ref.tenant, ref.agent))) throw noWorkspace(ref.agent);
    known.set(name, right);
  }

  const home = (ref: VolumeRef) => parts.root.open(homeOf(accountOf(ref)));

  async function open(grant: Grant, ref: VolumeRef, right: 'read'): Promise<ReadVolume>;
  async function open(grant: Grant, ref: VolumeRef, right: 'write'): Promise<Volume>;
  async function open(grant: Grant, ref: VolumeRef, right: 'read' | 'write'): Promise<ReadVolume | Volume> {
    demandReach(grant, ref, right);
    await admit(ref, right);
    if (right === 'read') return openReadVolume({ ref, home: await home(ref) });
    return openVolume(partsOf({ ...parts, assemblies }, ref, await home(ref)));
  }

  return {
    open,
    rescan: (tenant: TenantId, options): Promise<Rescan> => parts.recounts.rescan(tenant, options),
    home,
    parts: async (ref) => partsOf({ ...parts, assemblies }, ref, await home(ref)),
    recount: (ref) => parts.recounts.recount(accountOf(ref)),
    forget: (ref) => {
      known.delete(lockName(accountOf(ref)));
    },
  };
}

/** @throws forbidden; not_found for another tenant's volume, which is never told from one that does not exist */
function demandReach(grant: Grant, ref: VolumeRef, right: 'read' | 'write'): void {
  const scope: Scope = `${ref.kind}:${right}`;
  if (ref.tenant !== grant.tenant) {
    throw ref.kind === 'store' ? new FsError('not_found', 'there is no such store') : noWorkspace(ref.agent);
  }
  demand(grant, scope, ref);
}

export function noWorkspace(agent: AgentId): FsError {
  return new FsError('not_found', `agent ${agent} has no workspace`, { path: agent });
}

function partsOf(parts: VolumesParts & Pick<VolumeParts, 'assemblies'>, ref: VolumeRef, home: Home): VolumeParts {
  const account = accountOf(ref);
  return {
    ref,
    account,
    lock: lockName(account),
    home,
    quota: parts.quota,
    locks: parts.locks,
    news: parts.news,
    assemblies: parts.assemblies,
    db: parts.db,
    instance: parts.instance,
  };
}
