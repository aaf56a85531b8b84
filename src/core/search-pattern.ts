import { RE2JS, RE2JSException } from 're2js';
import { FsError } from '../errors.ts';
import { nameOf, relativeTo, type TreePath } from '../tree/path.ts';
import { parseGlob } from './globs.ts';
import { type LineFinder, linesThat, literally, regardlessOfCase } from './line-finder.ts';
import type { SearchQuery } from './search-types.ts';

/** A query made ready for one thread. */
export interface SearchPattern {
  /** Null where names are not looked at. */
  readonly matchesName: PathTest | null;
  /** Null where content is not looked at. */
  readonly lines: LineFinder | null;
  /** Null where every file is looked at. */
  readonly allowsFile: PathTest | null;
}

type PathTest = (path: TreePath) => boolean;

// An expression's time is at most its program's size times the text's length.
const MAX_PROGRAM = 4000;
const MAX_STEPS_A_PIECE = 16 * 1024 * 1024;
const LEAST_PIECE = 4096;
const LINE_BREAK = /[\n\r]/;

/**
 * @param isOver asked between the steps of what may take long
 * @throws invalid_request, invalid_path for what is no glob or no regular expression, or would take too long
 */
export function preparePattern(query: SearchQuery, isOver: () => boolean): SearchPattern {
  const { text, within, regex, caseSensitive, filePattern, path } = query;
  const expression = regex ? compile(text, caseSensitive) : null;
  const named: PathTest =
    expression === null ? globTest(text, path, caseSensitive) : (each) => expression.test(nameOf(each).toWellFormed());
  return {
    matchesName: within === 'content' ? null : named,
    lines: within === 'names' ? null : linesOf(query, expression, isOver),
    allowsFile: filePattern === null ? null : globTest(filePattern, path, caseSensitive),
  };
}

/** A glob without a slash is of the name at any depth, one with a slash of the path below `dir`. Hidden names are names. */
function globTest(text: string, dir: TreePath, caseSensitive: boolean): PathTest {
  const fold = (each: string): TreePath => (caseSensitive ? each : each.toLowerCase()) as TreePath;
  const glob = parseGlob(fold(text), { hidden: true });
  return text.includes('/')
    ? (path) => glob.matches(fold(relativeTo(path, dir)))
    : (path) => glob.matches(fold(nameOf(path)));
}

function linesOf({ text, caseSensitive }: SearchQuery, expression: RE2JS | null, isOver: () => boolean): LineFinder {
  if (expression !== null) {
    const piece = Math.max(LEAST_PIECE, Math.floor(MAX_STEPS_A_PIECE / expression.programSize()));
    return linesThat((line) => indexOfMatch(expression, line, piece), isOver);
  }
  if (LINE_BREAK.test(text)) {
    throw new FsError('invalid_request', 'content is searched line by line, so the text may not hold a line break');
  }
  return caseSensitive ? literally(text) : regardlessOfCase(text, isOver);
}

/** @throws invalid_request */
function compile(text: string, caseSensitive: boolean): RE2JS {
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(text, caseSensitive ? 0 : RE2JS.CASE_INSENSITIVE);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const help = 'the syntax is that of RE2, which has no look-around and no back-references';
    throw new FsError('invalid_request', `the regular expression cannot be read; ${help}`, {}, error);
  }
  if (expression.programSize() <= MAX_PROGRAM) return expression;
  throw new FsError('invalid_request', 'the regular expression is too large; use smaller counts in braces', {
    limit: MAX_PROGRAM,
    requested: expression.programSize(),
  });
}

/** Where in the line it matches, or -1. A line longer than `piece` is looked at in pieces. */
function indexOfMatch(expression: RE2JS, line: string, piece: number): number {
  for (let start = 0; start === 0 || start < line.length; start += piece) {
    const part = start === 0 && line.length <= piece ? line : line.slice(start, start + piece);
    if (!expression.test(part)) continue;
    if (line.length <= SHORT_LINE) return 0;
    const matcher = expression.matcher(part);
    return matcher.find() ? start + matcher.start() : start;
  }
  return -1;
}

// Shown whole, so it does not matter where in it the match is.
const SHORT_LINE = 200;
