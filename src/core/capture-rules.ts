import { FsError } from '../errors.ts';
import type { TreePath } from '../tree/path.ts';
import type { CaptureRules } from './core.ts';
import { type Glob, parseGlob } from './globs.ts';

/** What is never captured unless `exclude` says otherwise. Hidden files and directories cover `.git/` and `.cache/`. */
const DEFAULT_EXCLUDE: readonly string[] = ['.git/', 'node_modules/', '__pycache__/', '.cache/', '.*', '.*/'];

// Every changed path is held against every pattern, on the event loop.
const MAX_WEIGHT = 64 * 1024;

/**
 * Decides which paths of a workspace capture looks at. Patterns read as in a .gitignore: without a slash they match the
 * name at any depth, with one at the end they match directories of that name, with one inside or in front they are anchored
 * at the root. @throws invalid_request, invalid_path for a pattern that is none
 */
export function captureFilter(rules: CaptureRules): (path: TreePath) => boolean {
  const include = rules.include.map(globOf);
  const exclude = (rules.exclude ?? DEFAULT_EXCLUDE).map(globOf);
  demandLight([...include, ...exclude]);
  return (path) => {
    const wanted = include.length === 0 || include.some((glob) => glob.matches(path));
    return wanted && !exclude.some((glob) => glob.matches(path));
  };
}

function demandLight(globs: readonly Glob[]): void {
  const weight = globs.reduce((sum, glob) => sum + glob.weight, 0);
  if (weight <= MAX_WEIGHT) return;
  throw new FsError(
    'invalid_request',
    `the capture patterns have more than ${MAX_WEIGHT} characters with all their alternatives; ask for fewer`,
  );
}

function globOf(pattern: string): Glob {
  const isDirectory = pattern.endsWith('/');
  const body = withoutSlashes(pattern);
  const anchored = body.startsWith('/') || body.replace(/^\/+/, '').includes('/');
  const glob = `${anchored ? '' : '**/'}${body.replace(/^\/+/, '')}${isDirectory ? '/**' : ''}`;
  return parseGlob(glob, { hidden: true });
}

/** Not by /\/+$/: that takes the square of the slashes in the middle. */
function withoutSlashes(pattern: string): string {
  let end = pattern.length;
  while (pattern[end - 1] === '/') end -= 1;
  return pattern.slice(0, end);
}
