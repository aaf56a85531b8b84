import * as attributes from '../db/attributes.ts';
import { FsError } from '../errors.ts';
import type { Count, Entry } from '../tree/entry.ts';
import { demandCreatable, display, isWithin, type TreePath } from '../tree/path.ts';
import type { Placeable } from '../tree/staging.ts';
import { add, chargeOf, freedBy, subtract } from './account.ts';
import type { RelocateOptions } from './core.ts';
import { demandExpected } from './expected.ts';
import { placeAll } from './placing.ts';
import type { Also } from './quota.ts';
import { type Growth, Room } from './room.ts';
import type { VolumeParts } from './volume-parts.ts';

interface Copied {
  readonly staged: Placeable;
  readonly charge: Count;
}

/**
 * Copies a file, a link or a whole directory, with modes, times and attributes. It is staged first, so a directory appears
 * in one step; a source that changes meanwhile may be copied half old, half new.
 * @throws not_found, exists, invalid_request, special_file, quota_exceeded, precondition_failed
 */
export async function copyEntry(
  parts: VolumeParts,
  from: TreePath,
  to: TreePath,
  { overwrite, expected = null }: RelocateOptions,
): Promise<Entry> {
  const { tree } = parts.home;
  demandCreatable(to);
  const source = await tree.stat(from);
  demandApart(from, to, source.kind === 'directory', 'copied');
  const before = await tree.find(to);
  demandExpected(expected, before, to);
  demandReplaceable(before, source, to, overwrite);
  const room = new Room(parts.quota, parts.account);
  let copied: Copied | null = null;
  try {
    copied = await stageCopy(parts, room, source, freedBy(before));
    const mode = overwrite && source.kind !== 'directory' ? 'upsert' : 'create';
    const also: Also = (transaction) => attributes.copyAttributes(transaction, parts.account, from, to);
    const [placed] = await placeAll(parts, room, [{ path: to, ...copied, mode, expected }], { also });
    if (placed === undefined) throw new Error('one landing gives one result');
    return placed.entry;
  } catch (error) {
    await copied?.staged.discard();
    await room.release();
    throw error;
  }
}

async function stageCopy(parts: VolumeParts, room: Room, source: Entry, credit: Count): Promise<Copied> {
  const { tree, staging } = parts.home;
  const cover = (total: Count, growth: Growth) =>
    parts.quota.afterRecount(parts.account, () => room.cover(subtract(total, credit), growth));
  if (source.kind === 'directory') {
    let total: Count = { bytes: 0, files: 1 };
    const staged = await staging.copyDirectory(tree, source.path, (bytes, files) => {
      total = add(total, { bytes, files });
      return cover(total, 'ahead');
    });
    return { staged, charge: { bytes: staged.bytes, files: staged.files } };
  }
  if (source.kind === 'symlink') {
    await cover(chargeOf(source), 'exact');
    return { staged: await staging.symlink(source.target ?? ''), charge: { bytes: 0, files: 1 } };
  }
  const file = await tree.open(source.path);
  try {
    await cover(chargeOf(file.entry), 'exact');
  } catch (error) {
    await file.close();
    throw error;
  }
  const staged = await staging.copy(file);
  return { staged, charge: { bytes: staged.charged, files: 1 } };
}

/** @throws invalid_request for a path onto itself, and for a directory into itself */
export function demandApart(from: TreePath, to: TreePath, isDirectory: boolean, verb: 'copied' | 'moved'): void {
  const path = display(from);
  if (from === to) throw new FsError('invalid_request', `${path} cannot be ${verb} onto itself`, { path });
  if (isDirectory && isWithin(to, from)) {
    throw new FsError('invalid_request', `${path === '' ? 'the root' : path} cannot be ${verb} into itself`, { path });
  }
}

/** Overwriting replaces files and links by files and links, nothing else. @throws exists */
export function demandReplaceable(
  before: Entry | null,
  source: Pick<Entry, 'kind'>,
  to: TreePath,
  overwrite: boolean,
): void {
  if (before === null) return;
  const path = display(to);
  if (before.kind === 'directory') {
    throw new FsError('exists', `${path} is a directory, and a directory is never replaced`, { path });
  }
  if (source.kind === 'directory') {
    throw new FsError('exists', `${path} exists, and a directory never replaces anything`, { path });
  }
  if (!overwrite) throw new FsError('exists', `${path} exists already; ask for it to be overwritten`, { path });
}
