import type { Owner } from '../tree/root.ts';
import type { Mount } from './core.ts';

/** Whom files in workspaces belong to, and how the daemon and an agent can each change what the other made. */
export interface Ownership extends Omit<Mount, 'hostPath'> {
  /** The same for people: what this deployment can and cannot do. */
  readonly sentence: string;
}

export interface OwnershipParts {
  /** Who the daemon runs as. */
  readonly daemon: Owner;
  /** To whom it gives what it makes (`DataRoot.owner`); null: to nobody. */
  readonly owner: Owner | null;
  /** Who was asked for, whether or not that can be done; null: nobody in particular. */
  readonly wantedUid: number | null;
}

const DIRECTORY_MODE = '0755';

const SENTENCES = {
  'same-uid': (uid: number) =>
    `files in workspaces belong to uid ${uid}, the daemon's own: run agents under it, or behind an ID-mapped mount`,
  capabilities: (uid: number) =>
    `the daemon is privileged and gives what it makes to uid ${uid}: run agents under that one`,
  'idmapped-mount': (uid: number) =>
    `files in workspaces should belong to uid ${uid}, but the daemon may not give them away: mount workspaces ID-mapped`,
};

export function ownershipOf({ daemon, owner, wantedUid }: OwnershipParts): Ownership {
  const { uid, gid } = owner ?? daemon;
  const strategy = strategyOf(daemon.uid, uid, wantedUid);
  return { uid, gid, mode: DIRECTORY_MODE, strategy, sentence: SENTENCES[strategy](wantedUid ?? uid) };
}

function strategyOf(daemonUid: number, uid: number, wantedUid: number | null): keyof typeof SENTENCES {
  if (uid !== daemonUid) return 'capabilities';
  return wantedUid === null || wantedUid === daemonUid ? 'same-uid' : 'idmapped-mount';
}

/** Who this process runs as. */
export function daemonOwner(): Owner {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}
