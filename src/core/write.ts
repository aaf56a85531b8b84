import type { Readable } from 'node:stream';
import type { Count, Entry } from '../tree/entry.ts';
import { demandCreatable, type TreePath } from '../tree/path.ts';
import type { Staged } from '../tree/staging.ts';
import { freedBy } from './account.ts';
import type { WriteOptions } from './core.ts';
import { DEFAULT_PERMISSIONS, demandFits } from './intake.ts';
import { demandPlaceable, placeAll } from './placing.ts';
import { type Growth, Room } from './room.ts';
import type { VolumeParts } from './volume-parts.ts';

/**
 * The whole of one write. What the file that is there is charged counts as room from the start, so that replacing a file
 * in a full volume works; under the lock this is looked at again, and made up for when it is not so any more.
 */
export async function writeFile(
  parts: VolumeParts,
  path: TreePath,
  body: Readable,
  options: WriteOptions,
): Promise<Entry> {
  demandCreatable(path);
  demandFits(options.declaredBytes ?? null, options.maxBytes);
  const before = await parts.home.tree.find(path);
  demandPlaceable({ path, ...options }, before);
  const room = new Room(parts.quota, parts.account);
  let staged: Staged | null = null;
  try {
    staged = await receive(parts, room, body, before, options);
    const landing = { path, staged, charge: { bytes: staged.charged, files: 1 }, ...options };
    const [placed] = await placeAll(parts, room, [landing]);
    if (placed === undefined) throw new Error('one landing gives one result');
    return placed.entry;
  } catch (error) {
    await staged?.discard();
    await room.release();
    throw error;
  }
}

async function receive(
  parts: VolumeParts,
  room: Room,
  body: Readable,
  before: Entry | null,
  options: WriteOptions,
): Promise<Staged> {
  const credit: Count = freedBy(before);
  const cover = (bytes: number, growth: Growth) =>
    parts.quota.afterRecount(parts.account, () =>
      room.cover({ bytes: bytes - credit.bytes, files: 1 - credit.files }, growth),
    );
  const declared = options.declaredBytes ?? null;
  if (declared !== null) await cover(declared, 'exact');
  const kept = before?.kind === 'file' ? before.mode : DEFAULT_PERMISSIONS;
  return parts.home.staging.receive(body, {
    maxBytes: options.maxBytes,
    onBytes: (total) => cover(total, 'ahead'),
    mode: options.permissions ?? kept,
    flush: true,
  });
}
