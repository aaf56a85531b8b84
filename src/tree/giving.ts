import { chmod, chown, open, rm, writeFile } from 'node:fs/promises';
import type { Owner } from './disk.ts';
import { hasCode } from './disk-error.ts';

/** What a process needs to share trees with another user, by the name of the capability that allows it. */
export type Power = 'CAP_CHOWN' | 'CAP_DAC_OVERRIDE' | 'CAP_FOWNER';

/** Whether this process may give what it makes to somebody and still work on it. */
export interface Giving {
  /** To whom it gives; null: to nobody, by choice or because a power is lacking. */
  readonly owner: Owner | null;
  /** What it lacks to give to the one who was wanted. */
  readonly lacks: readonly Power[];
}

/**
 * Tries it on a file of its own in this directory, rather than read what the kernel says of the process: in a user namespace or
 * on a network disk a capability may be there and of no use.
 */
export async function tryGiving(directory: string, wanted: Owner | null): Promise<Giving> {
  if (wanted === null) return { owner: null, lacks: [] };
  const probe = `${directory}/.owner-probe-${process.pid}`;
  try {
    await writeFile(probe, '', { mode: 0o600 });
    const lacks = await lackedFor(probe, wanted);
    // To give away what it could not change any more would lock the daemon out of its own trees.
    return { owner: lacks.length === 0 ? wanted : null, lacks };
  } finally {
    await rm(probe, { force: true });
  }
}

async function lackedFor(probe: string, { uid, gid }: Owner): Promise<readonly Power[]> {
  if (!(await isAllowed(chown(probe, uid, gid)))) return ['CAP_CHOWN'];
  const mayOpen = await isAllowed(open(probe, 'r+').then((handle) => handle.close()));
  const maySetMode = await isAllowed(chmod(probe, 0o640));
  return [...(mayOpen ? [] : ['CAP_DAC_OVERRIDE' as const]), ...(maySetMode ? [] : ['CAP_FOWNER' as const])];
}

async function isAllowed(act: Promise<void>): Promise<boolean> {
  try {
    await act;
    return true;
  } catch (error) {
    // EINVAL: an id that the user namespace of this process does not have.
    if (hasCode(error, 'EPERM', 'EACCES', 'EINVAL')) return false;
    throw error;
  }
}
