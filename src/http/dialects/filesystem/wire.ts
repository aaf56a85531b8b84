import { z } from 'zod';
import type { Entry } from '../../../tree/entry.ts';
import { display, nameOf, pathB64, type TreePath } from '../../../tree/path.ts';
import { queryFlag, queryInteger } from '../../decode.ts';
import { permissionsText } from '../../verbs/metadata.ts';
import { nextCursor, pageQuery, timestamp } from '../../verbs/shapes.ts';

/** Levels that a recursive listing descends at most. */
export const MAX_DEPTH = 256;

const path = z.string().meta({ example: '/data/sales.csv' });
const encoding = z.enum(['utf-8', 'base64']);
const pathBytes = z
  .string()
  .optional()
  .describe('Base64 of the bytes of a path that is not UTF-8, instead of the path in the URL.');
const rawFlag = queryFlag.default(false).describe('Bytes instead of JSON.');

export const readQuery = z.object({
  encoding: encoding
    .optional()
    .describe('How `content` is written. Text that is not UTF-8 comes as base64 all the same.'),
  offset: queryInteger(1, Number.MAX_SAFE_INTEGER).optional().describe('First line to read, counted from 1.'),
  limit: queryInteger(1, Number.MAX_SAFE_INTEGER).optional().describe('How many lines to read.'),
  tail: queryInteger(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The last so many lines, read from the end of the file. Not together with offset, limit or raw.'),
  raw: rawFlag,
  path_b64: pathBytes,
});
export type ReadQuery = z.infer<typeof readQuery>;

export const createQuery = z.object({
  raw: rawFlag,
  overwrite: queryFlag.default(false).describe('With a raw body: replace a file that exists.'),
  permissions: permissionsText.optional().describe('With a raw body: octal permissions of the file.'),
});

export const updateQuery = z.object({
  raw: rawFlag,
  upsert: queryFlag.default(false).describe('Make the file where it is missing.'),
  permissions: permissionsText.optional().describe('With a raw body: octal permissions of the file.'),
});

export const deleteQuery = z.object({ path_b64: pathBytes });

const content = {
  content: z
    .string()
    .describe('The whole content, written as `encoding` says.')
    .meta({ example: 'region,amount\nnorth,12\n' }),
  encoding: encoding.default('utf-8'),
  permissions: permissionsText.optional(),
};

export const createBody = z.object({
  ...content,
  overwrite: z.boolean().default(false).describe('Replace a file that exists.'),
});
export const updateBody = z.object(content);

const offset = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const patchBody = z.object({
  operation: z.enum(['append', 'prepend', 'insert', 'replace']),
  content: z.string().describe('What is added, written as `encoding` says.').meta({ example: 'south,7\n' }),
  encoding: encoding.default('utf-8'),
  position: offset.optional().describe('Of insert and replace, which need it: the byte they begin at, counted from 0.'),
  length: offset
    .optional()
    .describe('Of replace: how many bytes go. By default as many as `content` has, at most to the end of the file.'),
});
export type PatchBody = z.infer<typeof patchBody>;

const MAX_EDITS = 100;
/** Characters: what is looked for takes four times as much memory as the text. */
const MAX_OLD_STRING = 1024 * 1024;

const text = z.string().refine((value) => value.isWellFormed(), 'it holds half a surrogate pair, which is no text');

const edit = z
  .object({
    old_string: text
      .min(1, 'it is empty; give the text that is to be replaced')
      .max(MAX_OLD_STRING)
      .describe('The text to replace, exactly as it stands in the file.')
      .meta({ example: 'south,2' }),
    new_string: text.describe('What stands there afterwards.').meta({ example: 'south,7' }),
    replace_all: z.boolean().default(false).describe('Replace every occurrence; otherwise there must be exactly one.'),
  })
  .refine((one) => one.old_string !== one.new_string, 'old_string and new_string are the same');

export const editBody = z.object({
  path,
  edits: z
    .array(edit)
    .min(1)
    .max(MAX_EDITS)
    .describe('Each is applied to what those before it made; all of them or none.'),
  dry_run: z.boolean().default(false).describe('Say what would be done, and do nothing.'),
});
export type EditBody = z.infer<typeof editBody>;

export const editReply = z.object({
  path,
  occurrences: z.number().int().describe('Replacements made, of all edits together.'),
  diff: z.string().describe('Unified, as `patch -p1` takes it.'),
  diff_truncated: z
    .literal(true)
    .optional()
    .describe('Present when hunks were left out at the end: it is for reading only.'),
  etag: z.string().describe('Of the file after the edits; in a dry run, of the file as it is.'),
});

export const readReply = z.object({
  path,
  content: z.string(),
  encoding,
  size: z.number().int().describe('Bytes of the whole file.'),
  modified_at: timestamp,
  total_lines: z.number().int().optional().describe('With offset or limit: lines of the whole file.'),
  start_line: z.number().int().optional(),
  end_line: z.number().int().optional().describe('Last line in `content`; start_line - 1 where there is none.'),
  next_offset: z.number().int().optional().describe('The offset to go on with, present only when there is more.'),
});

export const createReply = z.object({ path, size: z.number().int(), created_at: timestamp });
export const updateReply = z.object({ path, size: z.number().int(), updated_at: timestamp });
export const deleteReply = z.object({ path, deleted_at: timestamp });
export const mkdirReply = z.object({ path, created_at: timestamp });

export const listQuery = z.object({
  recursive: queryFlag.default(false).describe('Descend into directories.'),
  include_hidden: queryFlag.default(true).describe('List names that begin with a dot, and what is below them.'),
  depth: queryInteger(1, MAX_DEPTH).optional().describe('Levels to descend; 1 is this directory alone.'),
  ...pageQuery(1000, 10_000),
});
export type ListQuery = z.infer<typeof listQuery>;

const listEntry = z.object({
  name: z.string().meta({ example: 'sales.csv' }),
  path,
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  size: z.number().int().optional().describe('Bytes; of files only.'),
  modified_at: timestamp,
  target: z.string().optional().describe('The text of a symbolic link. Links are never followed.'),
  path_b64: z.string().optional().describe('The bytes of a path that is not UTF-8.'),
});

export const listReply = z.object({ path, entries: z.array(listEntry), next_cursor: nextCursor });

/** A path as this dialect writes it: with a leading slash. */
export function showPath(path: TreePath): string {
  return `/${display(path)}`;
}

export function encodeCreated(entry: Entry): z.infer<typeof createReply> {
  return { path: showPath(entry.path), size: entry.size, created_at: entry.createdAt.toISOString() };
}

export function encodeUpdated(entry: Entry): z.infer<typeof updateReply> {
  return { path: showPath(entry.path), size: entry.size, updated_at: entry.modifiedAt.toISOString() };
}

export function encodeEntry(entry: Entry): z.infer<typeof listEntry> {
  const bytes = pathB64(entry.path);
  return {
    name: display(nameOf(entry.path)),
    path: showPath(entry.path),
    type: entry.kind,
    ...(entry.kind === 'file' ? { size: entry.size } : {}),
    modified_at: entry.modifiedAt.toISOString(),
    ...(entry.target === null ? {} : { target: display(entry.target) }),
    ...(bytes === null ? {} : { path_b64: bytes }),
  };
}
