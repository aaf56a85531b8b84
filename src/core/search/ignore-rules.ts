import { FsError } from '../../errors.ts';
import { nameOf, relativeTo, type TreePath } from '../../tree/path.ts';
import { type Glob, parseGlob } from '../globs.ts';

interface Rule {
  readonly glob: Glob;
  /** Held against the path from the file's directory; else against the name alone. */
  readonly isAnchored: boolean;
  readonly directoriesOnly: boolean;
  readonly negated: boolean;
}

// Every entry of a search is held against all rules of the directories above it.
const MAX_WEIGHT = 32 * 1024;
const WEIGHT_OF_A_RULE = 16;

/**
 * The rules of a .gitignore and of those above it. They are matched as globs of ours are, in linear time: an agent writes both the
 * patterns and the paths. Rules beyond 32 KiB of one way down are left out, so more is found, never less.
 */
export class IgnoreRules {
  readonly #dir: TreePath;
  readonly #above: IgnoreRules | null;
  /** The last first: it decides. */
  readonly #rules: readonly Rule[];
  readonly #weight: number;

  /** @param text the file's content; `dir` is where it lies, `above` the rules that hold there already */
  constructor(text: string, dir: TreePath, above: IgnoreRules | null) {
    let weight = above === null ? 0 : above.#weight;
    const rules: Rule[] = [];
    for (const line of text.split('\n')) {
      const rule = parseRule(line);
      if (rule === null) continue;
      weight += WEIGHT_OF_A_RULE + rule.glob.weight;
      if (weight > MAX_WEIGHT) break;
      rules.push(rule);
    }
    this.#dir = dir;
    this.#above = above;
    this.#rules = rules.reverse();
    this.#weight = Math.min(weight, MAX_WEIGHT);
  }

  /** True where the last rule of the nearest file that says anything of the path says so. What is above it is not asked. */
  ignores(path: TreePath, isDirectory: boolean): boolean {
    const name = nameOf(path) as TreePath;
    for (let level: IgnoreRules | null = this; level !== null; level = level.#above) {
      const relative = relativeTo(path, level.#dir);
      for (const rule of level.#rules) {
        if (rule.directoriesOnly && !isDirectory) continue;
        if (rule.glob.matches(rule.isAnchored ? relative : name)) return !rule.negated;
      }
    }
    return false;
  }
}

/** One line as gitignore(5) has it; null for blanks, comments, and what no path can match. */
function parseRule(line: string): Rule | null {
  const text = withoutTrailingBlanks(line);
  if (text === '' || text.startsWith('#')) return null;
  const negated = text.startsWith('!');
  const pattern = negated ? text.slice(1) : text;
  const directoriesOnly = pattern.endsWith('/');
  const body = directoriesOnly ? pattern.slice(0, -1) : pattern;
  if (body === '') return null;
  try {
    return {
      glob: parseGlob(plainBraces(body), { hidden: true }),
      isAnchored: body.includes('/'),
      directoriesOnly,
      negated,
    };
  } catch (error) {
    // `..`, an empty element, or longer than any path: git matches nothing by it either.
    if (error instanceof FsError) return null;
    throw error;
  }
}

/** git knows no braces. */
function plainBraces(pattern: string): string {
  return pattern.replace(/\\[\s\S]|\{/gu, (found) => (found === '{' ? '\\{' : found));
}

/** Blanks at the end do not count unless a backslash stands before them. */
function withoutTrailingBlanks(line: string): string {
  let end = line.endsWith('\r') ? line.length - 1 : line.length;
  while (end > 0 && line[end - 1] === ' ' && line[end - 2] !== '\\') end -= 1;
  return line.slice(0, end);
}
