import { Readable } from 'node:stream';
import type { ArchiveMember } from '../../archive/format.ts';
import { FsError } from '../../errors.ts';
import { Ancestry } from '../../tree/ancestry.ts';
import type { Entry } from '../../tree/entry.ts';
import { display, isWithin, parentOf, ROOT, relativeTo, type TreePath } from '../../tree/path.ts';
import type { OpenFile } from '../../tree/tree.ts';
import type { ReadVolume } from '../core.ts';

const MAX_ENTRIES = 1_000_000;
// Deeper trees have longer paths than the disk takes.
const MAX_DEPTH = 2048;
/** So many files are opened, and small ones read, before their turn. */
const AHEAD = 16;
const SMALL_BYTES = 128 * 1024;
/** What says that an entry went, or became something else, since it was seen. */
const GONE: ReadonlySet<string> = new Set(['not_found', 'not_directory', 'is_directory', 'symlink', 'special_file']);

export interface Selection {
  /** What was asked for, nothing of it within something else of it. */
  readonly entries: readonly Entry[];
  /** The directory that names in the archive are relative to. */
  readonly base: TreePath;
}

/**
 * Looks for everything that was asked for. Names in the archive are relative to the deepest directory that holds all of it,
 * so no two are the same. @throws not_found, special_file
 */
export async function select(volume: ReadVolume, paths: readonly TreePath[]): Promise<Selection> {
  const entries: Entry[] = [];
  for (const path of outermost(paths)) {
    const entry = await volume.stat(path);
    if (entry.kind === 'other') {
      throw new FsError('special_file', `${display(path)} is a socket, device or pipe, and no archive takes those`);
    }
    entries.push(entry);
  }
  return { entries, base: entries.map(({ path }) => parentOf(path)).reduce(commonDirectory) };
}

function outermost(paths: readonly TreePath[]): readonly TreePath[] {
  const all = new Set(paths);
  const covered = new Ancestry<boolean>(false, (above, dir) => above || all.has(dir));
  return [...all].filter((path) => path === ROOT || !covered.above(path));
}

function commonDirectory(one: TreePath, other: TreePath): TreePath {
  let common = one;
  while (!isWithin(other, common)) common = parentOf(common);
  return common;
}

/**
 * What was selected and all that is below it, as an archive takes it: files by the size they have when they are opened,
 * links as links; specials, and what vanishes meanwhile, are left out, and so is what is at `except`.
 * Each member is to be opened before the next one is asked for. Ending early gives everything back.
 * @throws unreadable, conflict (a file was shortened while it was read), too_large (more than a million entries)
 */
export async function* archiveMembers(
  volume: ReadVolume,
  { entries, base }: Selection,
  { except, signal }: { readonly except: TreePath | null; readonly signal: AbortSignal },
): AsyncGenerator<ArchiveMember> {
  const queue: Promise<Prepared | null>[] = [];
  try {
    for await (const entry of everything(volume, entries, signal)) {
      if (entry.path === base || entry.path === except) continue;
      const preparing = prepare(volume, entry, relativeTo(entry.path, base));
      // Thrown when its turn comes; until then it is nobody's unhandled rejection.
      preparing.catch(() => undefined);
      queue.push(preparing);
      if (queue.length === AHEAD) yield* next(queue);
    }
    while (queue.length > 0) yield* next(queue);
  } finally {
    for (const preparing of queue) await (await preparing.catch(() => null))?.giveBack();
  }
}

async function* next(queue: Promise<Prepared | null>[]): AsyncGenerator<ArchiveMember> {
  const prepared = await queue.shift();
  if (prepared === null || prepared === undefined) return;
  try {
    yield prepared.member;
  } finally {
    await prepared.giveBack();
  }
}

async function* everything(volume: ReadVolume, entries: readonly Entry[], signal: AbortSignal): AsyncGenerator<Entry> {
  let left = MAX_ENTRIES;
  for (const entry of entries) {
    yield entry;
    if (entry.kind !== 'directory') continue;
    const onLimit = () => {
      throw new FsError('too_large', `${display(entry.path)} has more entries or levels than one archive takes`);
    };
    for await (const found of volume.walk(entry.path, { depth: MAX_DEPTH, entries: left, onLimit, signal })) {
      left -= 1;
      if (found.kind !== 'other') yield found;
    }
  }
}

interface Prepared {
  readonly member: ArchiveMember;
  /** Closes a file that nobody opened. */
  giveBack(): Promise<void>;
}

/** Null where it is there no more. */
async function prepare(volume: ReadVolume, entry: Entry, path: TreePath): Promise<Prepared | null> {
  if (entry.kind !== 'file') return prepared(entry, path, async () => Readable.from([]));
  try {
    const file = await volume.open(entry.path);
    return file.entry.size <= SMALL_BYTES ? await prepareSmall(file, path) : prepareLarge(file, path);
  } catch (error) {
    if (error instanceof FsError && GONE.has(error.code)) return null;
    throw error;
  }
}

async function prepareSmall(file: OpenFile, path: TreePath): Promise<Prepared> {
  try {
    const bytes = await file.bytes(SMALL_BYTES);
    return prepared(file.entry, path, async () => Readable.from([bytes]));
  } finally {
    await file.close();
  }
}

function prepareLarge(file: OpenFile, path: TreePath): Prepared {
  let isOpened = false;
  const open = async () => {
    isOpened = true;
    return file.stream();
  };
  return prepared(file.entry, path, open, async () => {
    if (!isOpened) await file.close();
  });
}

function prepared(
  { kind, size, target, mode, modifiedAt }: Entry,
  path: TreePath,
  open: ArchiveMember['open'],
  giveBack: Prepared['giveBack'] = async () => undefined,
): Prepared {
  if (kind === 'other') throw new FsError('internal', 'something that no archive takes was not left out');
  return { member: { path, kind, size: kind === 'file' ? size : 0, target, mode, modifiedAt, open }, giveBack };
}
