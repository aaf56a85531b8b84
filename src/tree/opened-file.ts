import { type BigIntStats, constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { FsError } from '../errors.ts';
import type { Directory } from './directory.ts';
import type { Entry } from './entry.ts';
import { display, type TreePath } from './path.ts';
import { entryOf, kindOf } from './stats.ts';
import type { OpenFile } from './tree.ts';

/** Bytes of one read of a file's content. */
export const SLICE_BYTES = 256 * 1024;

/** Opens the regular file of this name in a held directory; pipes, sockets and devices are not touched. @throws is_directory, symlink, special_file */
export async function openFile(directory: Directory, name: string, path: TreePath): Promise<OpenedFile> {
  const held = await directory.leaf(name);
  try {
    const stats = await held.stat();
    const kind = kindOf(stats);
    if (kind !== 'file') throw refusal(kind, path);
    return new OpenedFile(path, stats, await held.reopen(constants.O_RDONLY | constants.O_NONBLOCK));
  } finally {
    held.close();
  }
}

/** Why something of this kind is not opened. */
export function refusal(kind: 'directory' | 'symlink' | 'other', path: TreePath): FsError {
  const shown = display(path);
  if (kind === 'directory') return new FsError('is_directory', `${shown} is a directory, not a file`, { path: shown });
  if (kind === 'symlink') {
    return new FsError('symlink', `${shown} is a symbolic link, and links are never followed`, { path: shown });
  }
  return new FsError('special_file', `${shown} is a socket, device or pipe, and those are never opened`, {
    path: shown,
  });
}

export class OpenedFile implements OpenFile {
  readonly entry: Entry;
  /** For copies made inside the tree layer. */
  readonly handle: FileHandle;

  /** As it was when it was opened. */
  readonly stats: BigIntStats;

  constructor(path: TreePath, stats: BigIntStats, handle: FileHandle) {
    this.entry = entryOf(path, stats, null);
    this.stats = stats;
    this.handle = handle;
  }

  stream(range: { readonly start: number; readonly end: number } = { start: 0, end: this.entry.size - 1 }): Readable {
    const end = Math.min(range.end + 1, this.entry.size);
    let position = range.start;
    const file = this;
    return new Readable({
      highWaterMark: SLICE_BYTES,
      read() {
        if (position >= end) {
          this.push(null);
          return;
        }
        file.#slice(position, Math.min(SLICE_BYTES, end - position)).then(
          (slice) => {
            position += slice.length;
            this.push(slice);
          },
          (error: Error) => this.destroy(error),
        );
      },
      destroy(error, done) {
        file.close().then(
          () => done(error),
          (failure: Error) => done(error ?? failure),
        );
      },
    });
  }

  async bytes(maxBytes: number): Promise<Buffer> {
    const { path, size } = this.entry;
    if (size > maxBytes) {
      throw new FsError('too_large', `${display(path)} has ${size} bytes; at most ${maxBytes} are taken here`, {
        path: display(path),
        limit: maxBytes,
        requested: size,
      });
    }
    return this.slice(0, size);
  }

  async slice(start: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await this.handle.read(bytes, filled, length - filled, start + filled);
      if (bytesRead === 0) throw changed(this.entry.path);
      filled += bytesRead;
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  async #slice(position: number, length: number): Promise<Buffer> {
    const slice = Buffer.allocUnsafe(length);
    const { bytesRead } = await this.handle.read(slice, 0, length, position);
    if (bytesRead === 0) throw changed(this.entry.path);
    return slice.subarray(0, bytesRead);
  }
}

/** For a file that another process shortened or changed while it was read. */
export function changed(path: TreePath): FsError {
  return new FsError('conflict', `${display(path)} was changed by another process while it was read; try again`, {
    path: display(path),
  });
}
