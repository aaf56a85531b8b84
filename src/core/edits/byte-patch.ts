import { FsError } from '../../errors.ts';
import { display, type TreePath } from '../../tree/path.ts';
import type { OpenFile } from '../../tree/tree.ts';
import type { NewContent } from '../core.ts';

/** A change to the bytes of a file, whatever they mean. Positions count from 0. */
export type BytePatch =
  | { readonly operation: 'append'; readonly content: Buffer }
  | { readonly operation: 'prepend'; readonly content: Buffer }
  | { readonly operation: 'insert'; readonly content: Buffer; readonly position: number }
  | {
      readonly operation: 'replace';
      readonly content: Buffer;
      readonly position: number;
      /** Bytes that go; null: as many as come, at most to the end of the file. */
      readonly length: number | null;
    };

const COPY_BYTES = 256 * 1024;

/**
 * What an opened file is to hold after the patch. What stays is copied by the disk, or read in slices as it is asked for, so
 * memory is bounded by the patch, not by the file. @throws invalid_request for a position beyond the file, naming its size
 */
export function patched(file: OpenFile, patch: BytePatch): NewContent {
  const { path, size } = file.entry;
  if (patch.operation === 'append') return { appended: patch.content, bytes: size + patch.content.length };
  const { start, end } = spanOf(patch, path, size);
  return { chunks: chunksOf(file, start, end, patch.content), bytes: size - (end - start) + patch.content.length };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The bytes that go: from `start` up to `end`, which is not one of them. */
function spanOf(patch: Exclude<BytePatch, { operation: 'append' }>, path: TreePath, size: number): Span {
  if (patch.operation === 'prepend') return { start: 0, end: 0 };
  const { position: start } = patch;
  if (start > size) throw beyond(path, size, `position ${start} lies`);
  if (patch.operation === 'insert') return { start, end: start };
  const end = patch.length === null ? Math.min(size, start + patch.content.length) : start + patch.length;
  if (end > size) throw beyond(path, size, `the ${patch.length} bytes from position ${start} end`);
  return { start, end };
}

function beyond(path: TreePath, size: number, what: string): FsError {
  return new FsError('invalid_request', `${what} beyond ${display(path)}, which has ${size} bytes`, {
    path: display(path),
    limit: size,
  });
}

async function* chunksOf(file: OpenFile, start: number, end: number, content: Buffer): AsyncGenerator<Buffer> {
  yield* copied(file, 0, start);
  yield content;
  yield* copied(file, end, file.entry.size);
}

async function* copied(file: OpenFile, from: number, to: number): AsyncGenerator<Buffer> {
  for (let at = from; at < to; at += COPY_BYTES) yield await file.slice(at, Math.min(COPY_BYTES, to - at));
}
