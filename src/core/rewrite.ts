import { Readable } from 'node:stream';
import { FsError } from '../errors.ts';
import type { Entry } from '../tree/entry.ts';
import { changed } from '../tree/opened-file.ts';
import { display, type TreePath } from '../tree/path.ts';
import type { StagedFile, Staging } from '../tree/staging.ts';
import type { OpenFile, Tree } from '../tree/tree.ts';
import { freedBy, subtract } from './account.ts';
import type { Expected, NewContent, RewriteOptions } from './core.ts';
import { demandExpected } from './expected.ts';
import type { PathGuard } from './locks.ts';
import { placeHeld } from './placing.ts';
import { Room } from './room.ts';
import type { VolumeParts } from './volume-parts.ts';

type Change<C extends NewContent> = (file: OpenFile) => Promise<C>;

interface Rewritten<C> {
  readonly entry: Entry;
  readonly content: C;
}

/** The whole of one rewrite; see Volume.rewrite. The lock is held while the new content is made, unlike that of a write. */
export async function rewriteFile<C extends NewContent>(
  parts: VolumeParts,
  path: TreePath,
  change: Change<C>,
  options: RewriteOptions,
): Promise<Rewritten<C>> {
  const room = new Room(parts.quota, parts.account);
  try {
    return await parts.quota.afterRecount(parts.account, () =>
      parts.locks.withPathLock(parts.lock, [path], async (guard) => {
        const file = await openCurrent(parts.home.tree, path, options.expected ?? null);
        try {
          return await replace({ parts, room, guard }, file, change, options.maxBytes);
        } finally {
          await file.close();
        }
      }),
    );
  } catch (error) {
    await room.release();
    throw error;
  }
}

/** The file as it is now, held against the condition. Close it. @throws precondition_failed, what Tree.open throws */
export async function openCurrent(tree: Pick<Tree, 'open'>, path: TreePath, expected: Expected): Promise<OpenFile> {
  try {
    const file = await tree.open(path);
    return await demandVersion(file, expected);
  } catch (error) {
    // A condition on a file that is gone fails as a condition, as it does for every other write.
    if (error instanceof FsError && error.code === 'not_found') demandExpected(expected, null, path);
    throw error;
  }
}

async function demandVersion(file: OpenFile, expected: Expected): Promise<OpenFile> {
  try {
    demandExpected(expected, file.entry, file.entry.path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface Ground {
  readonly parts: VolumeParts;
  readonly room: Room;
  readonly guard: PathGuard;
}

async function replace<C extends NewContent>(
  ground: Ground,
  file: OpenFile,
  change: Change<C>,
  maxBytes: number,
): Promise<Rewritten<C>> {
  const { entry: current } = file;
  demandInPlace(current, current.size, maxBytes);
  const content = await change(file);
  demandInPlace(current, content.bytes, maxBytes);
  await ground.room.cover(subtract({ bytes: content.bytes, files: 1 }, freedBy(current)), 'exact');
  const staged = await stage(ground.parts.home.staging, file, content);
  try {
    return { entry: await placeOver(ground, current, staged), content };
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

function stage(staging: Staging, file: OpenFile, content: NewContent): Promise<StagedFile> {
  if ('appended' in content) return staging.extend(file, content.appended);
  const options = { maxBytes: content.bytes, mode: file.entry.mode, flush: true };
  return staging.receive(Readable.from(content.chunks, { highWaterMark: 1 }), options);
}

/** @throws conflict where what is there is not what the new content was made of */
async function placeOver(ground: Ground, current: Entry, staged: StagedFile): Promise<Entry> {
  const { path, version } = current;
  const charge = { bytes: staged.charged, files: 1 };
  const landing = { path, staged, charge, mode: 'update', expected: { versions: [version] } } as const;
  try {
    const [placed] = await placeHeld(ground, [landing]);
    if (placed === undefined) throw new Error('one landing gives one result');
    return placed.entry;
  } catch (error) {
    // No client of ours had the lock: it was a process in the mount.
    if (error instanceof FsError && error.code === 'precondition_failed') throw changed(path);
    throw error;
  }
}

/** @throws too_large where a file of so many bytes is none to be edited in place, be it the current one or what it would become */
export function demandInPlace({ path, size }: Entry, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  const has = bytes === size ? `has ${bytes} bytes` : `has ${size} bytes and would have ${bytes}`;
  throw new FsError(
    'too_large',
    `${display(path)} ${has}; files of at most ${maxBytes} bytes are edited in place, so write this one whole`,
    { path: display(path), limit: maxBytes, requested: bytes },
  );
}
