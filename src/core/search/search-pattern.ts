import { FsError } from '../../errors.ts';
import { nameOf, relativeTo, type TreePath } from '../../tree/path.ts';
import { parseGlob } from '../globs.ts';
import { LineExpression } from './line-expression.ts';
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

const LINE_BREAK = /[\n\r]/;

/**
 * @param isOver asked between the steps of what may take long
 * @throws invalid_request, invalid_path for what is no glob or no regular expression, or would take too long
 */
export function preparePattern(query: SearchQuery, isOver: () => boolean): SearchPattern {
  const { text, within, regex, caseSensitive, filePattern, path } = query;
  const expression = regex ? new LineExpression(text, caseSensitive) : null;
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

function linesOf(
  { text, caseSensitive }: SearchQuery,
  expression: LineExpression | null,
  isOver: () => boolean,
): LineFinder {
  if (expression !== null) return linesThat(expression, isOver);
  if (LINE_BREAK.test(text)) {
    throw new FsError('invalid_request', 'content is searched line by line, so the text may not hold a line break');
  }
  return caseSensitive ? literally(text) : regardlessOfCase(text, isOver);
}
