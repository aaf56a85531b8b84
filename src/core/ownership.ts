import type { Giving, Owner } from '../tree/root.ts';
import type { Mount } from './core.ts';

/** Whom files in workspaces belong to, and how the daemon and an agent can each change what the other made. */
export type Ownership = Omit<Mount, 'hostPath'>;

export interface OwnershipParts {
  /** Who the daemon runs as. */
  readonly daemon: Owner;
  /** Who agents should run as; null: nobody in particular was asked for. */
  readonly wanted: Owner | null;
  /** Whether the daemon can give them what it makes (`DataRoot.giving`). */
  readonly giving: Giving;
}

const DIRECTORY_MODE = '0755';

/** Which strategy holds, and in one sentence what it does and what this deployment cannot do. */
export function ownershipOf({ daemon, wanted, giving }: OwnershipParts): Ownership {
  const { uid, gid } = giving.owner ?? daemon;
  const owned = { uid, gid, mode: DIRECTORY_MODE };
  const agent = wanted ?? daemon;
  if (agent.uid === daemon.uid) {
    const sentence = `${sameUid(daemon.uid)}${keptGroup(daemon, agent, giving)}`;
    return { ...owned, agent: { uid, gid }, strategy: 'same-uid', sentence };
  }
  if (giving.owner !== null) {
    const sentence = `the daemon gives what it makes to uid ${uid} and may change what that user makes; an agent under another uid cannot change it`;
    return { ...owned, agent, strategy: 'capabilities', sentence };
  }
  const sentence =
    `files in workspaces belong to uid ${uid}, as the daemon lacks ${giving.lacks.join(' and ')} to share them with ` +
    `uid ${agent.uid}: an agent can change them only through an ID-mapped mount`;
  return { ...owned, agent, strategy: 'idmapped-mount', sentence };
}

function sameUid(uid: number): string {
  if (uid === 0) {
    return 'the daemon is root and WORKSPACE_UID is not set, so only an agent that is root too can change what it makes: set WORKSPACE_UID and WORKSPACE_GID';
  }
  return `files in workspaces belong to uid ${uid}, the daemon's own; an agent under another uid cannot change them`;
}

function keptGroup(daemon: Owner, agent: Owner, giving: Giving): string {
  if (agent.gid === daemon.gid || giving.owner !== null) return '';
  return `; they keep group ${daemon.gid}, as the daemon may not give them to group ${agent.gid}`;
}

/** Who this process runs as. */
export function daemonOwner(): Owner {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}
