import { FsError } from '../errors.ts';
import type { Entry } from '../tree/entry.ts';
import { demandCreatable, display, type TreePath } from '../tree/path.ts';
import { openAssembly } from './archives/assembly.ts';
import { copyEntry } from './copying.ts';
import type { ReadVolume, Volume } from './core.ts';
import { amend, madeDirectories, settleAndTell } from './feeds/telling.ts';
import { openIntake } from './intake.ts';
import { moveEntry, removeEntry } from './moving.ts';
import { makeParents, missingParents } from './parents.ts';
import { rewriteFile } from './rewrite.ts';
import { Room } from './room.ts';
import type { VolumeParts } from './volume-parts.ts';
import { writeFile } from './write.ts';

/** A volume that can only be read: there is no verb on it that changes anything. */
export function openReadVolume(parts: Pick<VolumeParts, 'ref' | 'home'>): ReadVolume {
  const { tree } = parts.home;
  return {
    ref: parts.ref,
    stat: (path) => tree.stat(path),
    find: (path) => tree.find(path),
    open: (path) => tree.open(path),
    list: (dir, page) => tree.list(dir, page),
    walk: (dir, bounds) => tree.walk(dir, bounds),
  };
}

/** A volume with every verb. Each keeps the ledger and the attributes true to the disk. */
export function openVolume(parts: VolumeParts): Volume {
  const { tree } = parts.home;
  return {
    ...openReadVolume(parts),
    write: (path, body, options) => writeFile(parts, path, body, options),
    rewrite: (path, change, options) => rewriteFile(parts, path, change, options),
    intake: () => openIntake(parts),
    assembly: (at, signal) => openAssembly(parts, at, signal),
    mkdir: (dir) => makeDirectory(parts, dir),
    copy: (from, to, options) => copyEntry(parts, from, to, options),
    move: (from, to, options) => moveEntry(parts, from, to, options),
    remove: (path, options) => removeEntry(parts, path, options),
    chmod: (path, mode) => amend(parts, path, () => tree.chmod(path, mode)),
    chown: (path, owner) => amend(parts, path, () => tree.chown(path, owner)),
    utimes: (path, modifiedAt) => amend(parts, path, () => tree.utimes(path, modifiedAt)),
  };
}

async function makeDirectory(
  parts: VolumeParts,
  dir: TreePath,
): Promise<{ readonly entry: Entry; readonly created: boolean }> {
  const { tree } = parts.home;
  const entry = await findDirectory(parts, dir);
  if (entry !== null) return { entry, created: false };
  demandCreatable(dir);
  const room = new Room(parts.quota, parts.account);
  try {
    return await parts.quota.afterRecount(parts.account, () =>
      parts.locks.withPathLock(parts.lock, [dir], async (guard) => {
        const missing = [...(await missingParents(tree, [dir])), dir];
        await room.cover({ bytes: 0, files: missing.length }, 'exact');
        await guard.check();
        const made = await makeParents(tree, missing);
        await settleAndTell(parts, room, { bytes: 0, files: made.length }, madeDirectories(made));
        return { entry: await tree.stat(dir), created: made.includes(dir) };
      }),
    );
  } catch (error) {
    await room.release();
    throw error;
  }
}

/** For a directory, a file on the way is in the way like one at its end. */
function asExists(error: unknown): never {
  if (!(error instanceof FsError) || error.code !== 'not_directory') throw error;
  throw new FsError('exists', error.message, error.detail, error);
}

/** The directory, or null where nothing is. @throws exists where something else is */
async function findDirectory(parts: VolumeParts, dir: TreePath): Promise<Entry | null> {
  const entry = await parts.home.tree.find(dir).catch(asExists);
  if (entry === null || entry.kind === 'directory') return entry;
  const path = display(dir);
  throw new FsError('exists', `${path} exists already and is not a directory`, { path });
}
