import type { Mount } from './core.ts';

/** Whom files in workspaces belong to, and how the daemon and an agent can each change what the other made. */
export interface Ownership extends Omit<Mount, 'hostPath'> {
  /** The same for people: what this deployment can and cannot do. */
  readonly sentence: string;
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

/** @param owner who was asked for and may be given to (DataRoot.owner); null: the daemon itself. @param wantedUid what was asked for */
export function ownershipOf(
  owner: { readonly uid: number; readonly gid: number } | null,
  wantedUid: number | null,
): Ownership {
  const [daemonUid, daemonGid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const [uid, gid] = owner === null ? [daemonUid, daemonGid] : [owner.uid, owner.gid];
  const strategy =
    uid !== daemonUid ? 'capabilities' : wantedUid === null || wantedUid === daemonUid ? 'same-uid' : 'idmapped-mount';
  return { uid, gid, mode: DIRECTORY_MODE, strategy, sentence: SENTENCES[strategy](wantedUid ?? uid) };
}
