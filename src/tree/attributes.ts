import type { BigIntStats } from 'node:fs';
import { chmod as setMode, chown as setOwner, utimes as setTimes } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import { beneath, within } from './beneath.ts';
import type { Held } from './directory.ts';
import type { HomeDisk, Owner } from './disk.ts';
import { hasCode } from './disk-error.ts';
import type { Entry } from './entry.ts';
import { refusal } from './opened-file.ts';
import { display, ROOT, type TreePath } from './path.ts';
import { entryOf, kindOf } from './stats.ts';

const PERMISSION_BITS = 0o777;

/** Sets permission bits; see Tree.chmod. */
export function chmod(disk: HomeDisk, path: TreePath, mode: number): Promise<Entry> {
  return changing(disk, path, ({ self }) => setMode(self, mode & PERMISSION_BITS));
}

/** Sets the time of last modification, leaving that of last access; see Tree.utimes. */
export function utimes(disk: HomeDisk, path: TreePath, modifiedAt: Date): Promise<Entry> {
  return changing(disk, path, ({ self }, { atime }) => setTimes(self, atime, modifiedAt));
}

/** Gives it to another user, group or both; see Tree.chown. */
export function chown(disk: HomeDisk, path: TreePath, owner: Partial<Owner>): Promise<Entry> {
  return changing(disk, path, async ({ self }, stats) => {
    try {
      await setOwner(self, owner.uid ?? Number(stats.uid), owner.gid ?? Number(stats.gid));
    } catch (error) {
      // EINVAL: an id that the user namespace of this process does not have.
      if (!hasCode(error, 'EPERM', 'EINVAL')) throw error;
      const name = display(path);
      throw new FsError(
        'forbidden',
        `this daemon may not give ${name === '' ? 'the root' : name} to that owner or group; leave out owner and group`,
        { path: name },
        error,
      );
    }
  });
}

/** Acts on the held thing itself: chmod and utimes by its name would follow a link swapped in meanwhile. */
async function changing(
  disk: HomeDisk,
  path: TreePath,
  change: (held: Held, stats: BigIntStats) => Promise<void>,
): Promise<Entry> {
  if (path === ROOT) return within(disk, ROOT, (root) => changeHeld(root, path, change));
  return beneath(disk, path, async (directory, name) => {
    const held = await directory.leaf(name);
    try {
      return await changeHeld(held, path, change);
    } finally {
      held.close();
    }
  });
}

async function changeHeld(
  held: Held,
  path: TreePath,
  change: (held: Held, stats: BigIntStats) => Promise<void>,
): Promise<Entry> {
  const stats = await held.stat();
  const kind = kindOf(stats);
  if (kind === 'symlink' || kind === 'other') throw refusal(kind, path);
  await change(held, stats);
  return entryOf(path, await held.stat(), null);
}
