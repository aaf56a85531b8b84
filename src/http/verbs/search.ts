import { z } from 'zod';
import type { Core, ReadVolume, SearchAnswer, SearchQuery, SearchResult } from '../../core/core.ts';
import { FsError } from '../../errors.ts';
import { parseDirectory, pathB64, type TreePath } from '../../tree/path.ts';
import type { Call, Reply, Route } from '../call.ts';
import { tagList } from './metadata.ts';

const MAX_TEXT = 1000;
const MAX_CONTEXT_LINES = 100;
const MAX_RESULTS = 10_000;

const text = z.string().min(1).max(MAX_TEXT);

export const searchBody = z
  .object({
    query: text
      .optional()
      .describe('What is looked for: a glob for names, literal text for content.')
      .meta({ example: 'TODO' }),
    pattern: text.optional().describe('Another name for `query`.'),
    type: z
      .enum(['filename', 'content', 'both'])
      .optional()
      .describe('Where. Without it `content_search` decides; without either, names, or content where `regex` is true.'),
    content_search: z.boolean().optional().describe('`true` is `type: "content"`, `false` is `type: "filename"`.'),
    path: z.string().default('').describe('The directory to look below, or one file.').meta({ example: '/src' }),
    file_pattern: text.optional().describe('Look only at files that this glob matches.').meta({ example: '*.ts' }),
    case_sensitive: z.boolean().default(true),
    regex: z
      .boolean()
      .default(false)
      .describe('The text is a regular expression in RE2 syntax, held against names or lines.'),
    context_lines: z.number().int().min(0).max(MAX_CONTEXT_LINES).default(0).describe('Lines shown before and after.'),
    max_results: z
      .number()
      .int()
      .min(1)
      .max(MAX_RESULTS)
      .default(100)
      .describe('Files and directories in the answer at most.'),
    tags: tagList
      .min(1)
      .optional()
      .describe('Only what has all of these tags. Without a query: everything that has them.')
      .meta({ example: ['report'] }),
    include_ignored: z.boolean().default(false).describe('Look also into `.git` and at what a `.gitignore` names.'),
  })
  .refine(({ query, pattern, tags }) => query !== undefined || pattern !== undefined || tags !== undefined, {
    error: 'it says nothing to look for; send "query" or "tags"',
  });

export type SearchBody = z.infer<typeof searchBody>;

const foundLine = z.object({
  line: z.number().int().describe('From 1.'),
  text: z.string().describe('The line; of a long one the part around what was found.'),
  before: z.array(z.string()),
  after: z.array(z.string()),
});

const searchResult = z.object({
  path: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  size: z.number().int(),
  matches: z.array(z.string()).optional().describe('The lines found, as text. Only where content was found.'),
  lines: z.array(foundLine).optional().describe('The same lines with their numbers and context.'),
  path_b64: z.string().optional().describe('The bytes of a path that is not UTF-8.'),
});

const searchReply = z.object({
  results: z.array(searchResult).describe('By path, unless `truncated`.'),
  total: z.number().int().describe('How many results there are here.'),
  truncated: z.boolean().describe('True where a limit ended the search: there may be more.'),
});

/** What the search routes of both trees have in common. */
export const SEARCH: Pick<Route, 'summary' | 'body' | 'bodyKinds' | 'replies'> = {
  summary: 'Find files by name or content. Literal unless `regex`; skips binary files and what a `.gitignore` names.',
  body: searchBody,
  bodyKinds: ['json'],
  replies: {
    200: { description: 'What was found, within limits of time, entries and bytes.', schema: searchReply },
    400: { description: 'A bad pattern, expression or path.' },
    404: { description: 'There is no such directory or file.' },
    429: { description: 'Too many searches of this tenant are under way.' },
    503: { description: 'Too many searches are under way.' },
  },
};

/** Answers a search of a volume; `show` writes paths as the dialect does. */
export async function search(
  core: Core,
  volume: ReadVolume,
  call: Call,
  show: (path: TreePath) => string,
): Promise<Reply> {
  const query = queryOf(await call.json<SearchBody>());
  return { status: 200, json: encodeAnswer(await core.searches.find(volume, query, call.signal), show) };
}

/** @throws invalid_request, invalid_path */
function queryOf(body: SearchBody): SearchQuery {
  if (body.query !== undefined && body.pattern !== undefined && body.query !== body.pattern) {
    throw new FsError('invalid_request', 'query and pattern are two names of one field; send one of them');
  }
  const wanted = body.query ?? body.pattern ?? '';
  if (!wanted.isWellFormed()) throw new FsError('invalid_request', 'the query is not valid Unicode text');
  return {
    text: wanted,
    within: withinOf(body),
    path: parseDirectory(body.path),
    filePattern: body.file_pattern ?? null,
    caseSensitive: body.case_sensitive,
    regex: body.regex,
    contextLines: body.context_lines,
    tags: body.tags ?? [],
    maxResults: body.max_results,
    includeIgnored: body.include_ignored,
  };
}

function withinOf({ type, content_search: isContent, regex }: SearchBody): SearchQuery['within'] {
  if (type !== undefined) return type === 'filename' ? 'names' : type;
  return (isContent ?? regex) ? 'content' : 'names';
}

function encodeAnswer(
  { results, truncated }: SearchAnswer,
  show: (path: TreePath) => string,
): z.infer<typeof searchReply> {
  return { results: results.map((result) => encodeResult(result, show)), total: results.length, truncated };
}

function encodeResult(
  { path, kind, size, lines }: SearchResult,
  show: (path: TreePath) => string,
): z.infer<typeof searchResult> {
  const bytes = pathB64(path);
  const found = lines?.map((each) => ({ ...each, before: [...each.before], after: [...each.after] }));
  return {
    path: show(path),
    type: kind,
    size,
    ...(found === undefined ? {} : { matches: found.map((each) => each.text), lines: found }),
    ...(bytes === null ? {} : { path_b64: bytes }),
  };
}
