import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, type FileHandle, open, unlink } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import type { HostPath } from './directory.ts';
import { type HomeDisk, inStaging } from './disk.ts';
import { orNull } from './disk-error.ts';
import { changed, OpenedFile, SLICE_BYTES } from './opened-file.ts';
import { onDisk } from './receive.ts';
import { writeAll } from './slice-writer.ts';
import { stagedFile } from './staged.ts';
import type { Staged, StagedFile } from './staging.ts';
import type { OpenFile } from './tree.ts';

// Below this, reading and writing once is quicker than asking the disk to share extents and reading back for the hash.
const SHARE_FROM_BYTES = 1024 * 1024;
const PERMISSION_BITS = 0o777;
const OWNER_WRITES = 0o600;

/** A staged copy of an opened file, which it closes; see Staging.copy. @throws conflict */
export async function copy(disk: HomeDisk, source: OpenFile, mode?: number): Promise<Staged> {
  const name = disk.nextName();
  const path = inStaging(disk, name);
  try {
    const opened = demandOurs(source);
    const staged = await onDisk(copyTo(disk, opened, name, (mode ?? opened.entry.mode) & PERMISSION_BITS));
    disk.stagedBytes.add(name, staged.size);
    return staged;
  } catch (error) {
    await orNull(unlink(path), 'ENOENT');
    throw error;
  } finally {
    await source.close();
  }
}

async function copyTo(disk: HomeDisk, source: OpenedFile, name: string, mode: number): Promise<Staged> {
  const { handle, sha256 } = await copyContent(disk, source, inStaging(disk, name), mode);
  try {
    const hash = sha256 ?? (await hashOf(handle));
    await handle.utimes(source.entry.modifiedAt, source.entry.modifiedAt);
    return { ...(await stagedFile(disk, name, handle, { mode, isFlushed: false })), sha256: hash };
  } finally {
    await handle.close();
  }
}

/** A staged copy of an opened file with more at its end; see Staging.extend. @throws conflict */
export async function extend(disk: HomeDisk, source: OpenFile, bytes: Buffer): Promise<StagedFile> {
  const name = disk.nextName();
  try {
    const staged = await onDisk(extendTo(disk, demandOurs(source), name, bytes));
    disk.stagedBytes.add(name, staged.size);
    return staged;
  } catch (error) {
    await orNull(unlink(inStaging(disk, name)), 'ENOENT');
    throw error;
  }
}

async function extendTo(disk: HomeDisk, source: OpenedFile, name: string, bytes: Buffer): Promise<StagedFile> {
  const { mode, size } = source.entry;
  const { handle } = await copyContent(disk, source, inStaging(disk, name), mode);
  try {
    await writeAll(handle, bytes, size);
    return await stagedFile(disk, name, handle, { mode, isFlushed: disk.isDurable });
  } finally {
    await handle.close();
  }
}

/** Only what this layer opened has a descriptor to copy from. */
export function demandOurs(source: OpenFile): OpenedFile {
  if (source instanceof OpenedFile) return source;
  throw new FsError('internal', 'only a file opened from a tree can be copied');
}

/** A copy that only the daemon can reach, open for reading and writing. */
interface Copied {
  readonly handle: FileHandle;
  /** null where the bytes were not seen on the way. */
  readonly sha256: string | null;
}

/**
 * Copies the bytes to a new file of this mode. Extents are shared where the disk can; holes of a sparse file stay holes.
 * On failure the file may be left. @throws conflict
 */
export async function copyContent(disk: HomeDisk, source: OpenedFile, path: HostPath, mode: number): Promise<Copied> {
  const { size, charged } = source.entry;
  const isShared = size >= SHARE_FROM_BYTES && charged === size && disk.engine.containment === 'proc';
  if (isShared) {
    await copyFile(`/proc/self/fd/${source.handle.fd}`, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    // It came with the source's mode, which need not let its owner write.
    await chmod(path, mode | OWNER_WRITES);
  }
  const create = isShared ? 0 : constants.O_CREAT | constants.O_EXCL;
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | create, mode | OWNER_WRITES);
  try {
    const sha256 = isShared ? null : await copySlices(source, handle);
    await demandUnchanged(source, handle, isShared);
    return { handle, sha256 };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function demandUnchanged(source: OpenedFile, copied: FileHandle, isShared: boolean): Promise<void> {
  const { stats, entry } = source;
  const after = await source.handle.stat({ bigint: true });
  // Not ctime: it moves when the source is replaced or linked, and the bytes are the same.
  const isSame = stats.size === after.size && stats.mtimeNs === after.mtimeNs;
  if (!isSame || (isShared && (await copied.stat({ bigint: true })).size !== stats.size)) throw changed(entry.path);
}

/** Returns the SHA-256 as lower-case hex. */
async function copySlices(source: OpenedFile, target: FileHandle): Promise<string> {
  const { size, path } = source.entry;
  const hash = createHash('sha256');
  const slice = Buffer.allocUnsafe(Math.min(SLICE_BYTES, size));
  const zeroes = source.entry.charged < size ? Buffer.alloc(slice.length) : null;
  for (let position = 0; position < size; ) {
    const { bytesRead } = await source.handle.read(slice, 0, Math.min(slice.length, size - position), position);
    if (bytesRead === 0) throw changed(path);
    const read = slice.subarray(0, bytesRead);
    hash.update(read);
    const isHole = zeroes?.subarray(0, bytesRead).equals(read) ?? false;
    if (!isHole) await writeAll(target, read, position);
    position += bytesRead;
  }
  if (zeroes !== null) await target.truncate(size);
  return hash.digest('hex');
}

/** Lower-case hex of the SHA-256 of the whole file, read in slices. */
export async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const slices = [Buffer.allocUnsafe(SLICE_BYTES), Buffer.allocUnsafe(SLICE_BYTES)] as const;
  let position = 0;
  let reading = handle.read(slices[0], 0, SLICE_BYTES, position);
  for (let turn = 1; ; turn++) {
    const { bytesRead, buffer } = await reading;
    if (bytesRead === 0) return hash.digest('hex');
    position += bytesRead;
    reading = handle.read(slices[turn % 2 === 0 ? 0 : 1], 0, SLICE_BYTES, position);
    hash.update(buffer.subarray(0, bytesRead));
  }
}
