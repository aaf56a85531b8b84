import type { TreePath } from '../tree/path.ts';
import type { CaptureRules } from './core.ts';
import { parseGlob } from './globs.ts';

/** What is never captured unless `exclude` says otherwise. Hidden files and directories cover `.git/` and `.cache/`. */
export const DEFAULT_EXCLUDE: readonly string[] = ['.git/', 'node_modules/', '__pycache__/', '.cache/', '.*', '.*/'];

export const CAPTURE_ALL: CaptureRules = { enabled: true, include: [], exclude: null };

/**
 * Decides which paths of a workspace capture looks at. Patterns read as in a .gitignore: without a slash they match the
 * name at any depth, with one at the end they match directories of that name, with one inside or in front they are anchored
 * at the root. @throws invalid_request, invalid_path for a pattern that is none
 */
export function captureFilter(rules: CaptureRules): (path: TreePath) => boolean {
  const include = rules.include.map(matcher);
  const exclude = (rules.exclude ?? DEFAULT_EXCLUDE).map(matcher);
  return (path) => {
    const wanted = include.length === 0 || include.some((matches) => matches(path));
    return wanted && !exclude.some((matches) => matches(path));
  };
}

function matcher(pattern: string): (path: TreePath) => boolean {
  const isDirectory = pattern.endsWith('/');
  const body = pattern.replace(/\/+$/, '');
  const anchored = body.startsWith('/') || body.replace(/^\/+/, '').includes('/');
  const glob = `${anchored ? '' : '**/'}${body.replace(/^\/+/, '')}${isDirectory ? '/**' : ''}`;
  return parseGlob(glob, { hidden: true }).matches;
}
