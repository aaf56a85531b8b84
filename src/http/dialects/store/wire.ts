import { z } from 'zod';
import type { Entry } from '../../../tree/entry.ts';
import { display, nameOf, pathB64, type TreePath } from '../../../tree/path.ts';
import { queryFlag } from '../../decode.ts';
import { filePart, nextCursor, pageQuery, timestamp } from '../../verbs/shapes.ts';

const storePath = z.string().meta({ example: 'datasets/2026/sales.csv' });
const neededPath = storePath.min(1, 'it is empty; say which path of the store is meant');

export const listQuery = z.object({
  path: z.string().default('').describe('The directory to list; the root by default.').meta({ example: 'datasets' }),
  // store.md: its clients know no pages, so a page holds as much as one may.
  ...pageQuery(10_000, 10_000),
});

export const downloadQuery = z.object({ path: neededPath.describe('The file to download.') });

export const deleteQuery = z.object({
  path: neededPath.describe('What to delete.'),
  recursive: queryFlag.default(false).describe('Needed to delete a directory, with all that is in it.'),
});

export const metadataQuery = z.object({ path: neededPath.describe('A file or directory.') });

export const moveBody = z.object({
  src_path: neededPath.describe('The file or directory to move.'),
  dst_path: neededPath.describe('Where it goes; missing parents are made.'),
  overwrite: z.boolean().default(false).describe('Replace a file that is at the destination. Never a directory.'),
});

export const mkdirBody = z.object({ path: neededPath.describe('The directory; missing parents are made.') });

const storeEntry = z.object({
  name: z.string().meta({ example: 'sales.csv' }),
  path: storePath,
  size: z.number().int().optional().describe('Bytes. Directories have none.'),
  is_dir: z.boolean(),
  updated_at: timestamp.optional(),
  type: z.enum(['symlink', 'other']).optional().describe('Only of what is neither a file nor a directory.'),
  target: z.string().optional().describe('The text of a symbolic link.'),
  path_b64: z.string().optional().describe('The bytes of a path that is not UTF-8.'),
});

export const listReply = z.object({ files: z.array(storeEntry), next_cursor: nextCursor });

export const uploadForm = z.object({
  files: z.array(filePart).describe('Each is named by its `filename`, which may be a path.'),
  path: z.string().optional().describe('The directory they go to.'),
});

export const uploadReply = z.object({
  uploaded: z.array(z.object({ path: storePath, size: z.number().int().meta({ example: 48_213 }) })),
});

/** One line of a listing. */
export function encodeEntry(entry: Entry): z.infer<typeof storeEntry> {
  const bytes = pathB64(entry.path);
  const named = {
    name: display(nameOf(entry.path)),
    path: display(entry.path),
    ...(bytes === null ? {} : { path_b64: bytes }),
  };
  if (entry.kind === 'directory') return { ...named, is_dir: true };
  return {
    ...named,
    size: entry.size,
    is_dir: false,
    updated_at: entry.modifiedAt.toISOString(),
    ...(entry.kind === 'file' ? {} : { type: entry.kind }),
    ...(entry.target === null ? {} : { target: display(entry.target) }),
  };
}

/** One line of an upload's answer. */
export function encodeUploaded(entry: Entry): { path: string; size: number } {
  return { path: display(entry.path), size: entry.size };
}

/** A path as this dialect writes it: without a leading slash. */
export function showPath(path: TreePath): string {
  return display(path);
}

/**
 * The part of a multipart filename that names a place below the upload's prefix: `../../a/b.txt` and `/a/b.txt` are `a/b.txt`.
 * '' where nothing of it does.
 */
export function safeRelativePart(filename: string): string {
  const unsafe = new Set(['', '.', '..']);
  return filename
    .split('/')
    .filter((element) => !unsafe.has(element))
    .join('/');
}
