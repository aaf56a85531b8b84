import { FsError } from '../errors.ts';
import { parsePath, ROOT, segmentsOf, type TreePath } from '../tree/path.ts';
import { expandBraces } from './braces.ts';

/**
 * Globs over tree paths: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, `**` as a whole element, and `\` before a character that is
 * meant literally. Matching never turns into a regular expression: its time is at most the length of the glob times the
 * length of the path, whatever a hostile client or agent writes into either.
 */
export interface Glob {
  readonly text: string;
  /** The directory that every match lies below: the leading elements without wildcards. */
  readonly base: TreePath;
  /** Levels below the base that a match can lie, or null for any number. */
  readonly depth: number | null;
  /** Characters of all its alternatives: with the length of a path, the bound on the time that matching takes. */
  readonly weight: number;
  matches(path: TreePath): boolean;
}

export interface GlobOptions {
  /** True when wildcards match names that begin with a dot, too. */
  readonly hidden: boolean;
}

type Token =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'any' | 'star' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

interface NamePattern {
  /** The one name it matches, or null. */
  readonly literal: string | null;
  /** Of a star and then plain text, that text: most patterns are such, and need no matching step by step. */
  readonly suffix: string | null;
  readonly tokens: readonly Token[];
}

type Segment = 'globstar' | NamePattern;

const MAX_GLOB_CHARACTERS = 1024;
const MAGIC = /[*?[{]/;

/** True when the text would mean more than one path. */
export function isGlob(text: string): boolean {
  return MAGIC.test(text);
}

/** @throws invalid_request when it is too long or has too many alternatives, invalid_path for elements no path can have */
export function parseGlob(text: string, options: GlobOptions): Glob {
  if (text.length > MAX_GLOB_CHARACTERS) {
    throw new FsError('invalid_request', `a glob is longer than ${MAX_GLOB_CHARACTERS} characters`);
  }
  const patterns = expandBraces(text.replace(/^\/+/, '')).map((pattern) => parsePath(pattern));
  const alternatives = patterns.map((pattern) => segmentsOf(pattern).map(parseSegment));
  const base = commonBase(alternatives);
  const baseDepth = segmentsOf(base).length;
  const unbounded = alternatives.some((segments) => segments.includes('globstar'));
  return {
    text,
    base,
    depth: unbounded ? null : Math.max(...alternatives.map((segments) => segments.length)) - baseDepth,
    weight: patterns.reduce((sum, pattern) => sum + pattern.length, 0),
    matches: (path) => {
      const names = segmentsOf(path);
      return alternatives.some((segments) => matchSegments(segments, names, options.hidden));
    },
  };
}

function commonBase(alternatives: readonly (readonly Segment[])[]): TreePath {
  const [first = [], ...others] = alternatives;
  const names: string[] = [];
  for (const [n, segment] of first.slice(0, -1).entries()) {
    if (segment === 'globstar' || segment.literal === null) break;
    const { literal } = segment;
    const shared = others.every((other) => {
      const its = other[n];
      return n < other.length - 1 && its !== undefined && its !== 'globstar' && its.literal === literal;
    });
    if (!shared) break;
    names.push(literal);
  }
  return names.length === 0 ? ROOT : parsePath(names.join('/'));
}

function parseSegment(text: string): Segment {
  if (text === '**') return 'globstar';
  const tokens: Token[] = [];
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    if (character === '*') {
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
    } else if (character === '?') {
      tokens.push({ kind: 'any' });
    } else if (character === '[') {
      const parsed = parseClass(characters, at);
      tokens.push(parsed?.token ?? { kind: 'literal', text: '[' });
      at = parsed?.end ?? at;
    } else if (character === '\\' && at + 1 < characters.length) {
      at += 1;
      tokens.push({ kind: 'literal', text: characters[at] ?? '' });
    } else {
      tokens.push({ kind: 'literal', text: character });
    }
  }
  const plain = tokens.map((token) => (token.kind === 'literal' ? token.text : null));
  const isSuffix = tokens[0]?.kind === 'star' && !plain.includes(null, 1);
  return {
    literal: plain.includes(null) ? null : plain.join(''),
    suffix: isSuffix ? plain.slice(1).join('') : null,
    tokens,
  };
}

/** The class that begins at `start`, or null where the bracket is never closed. A `]` right after the opening is a member. */
function parseClass(characters: readonly string[], start: number): { token: Token; end: number } | null {
  const negated = characters[start + 1] === '!' || characters[start + 1] === '^';
  const from = start + (negated ? 2 : 1);
  const end = characters.indexOf(']', from + 1);
  if (end < 0) return null;
  const ranges: [string, string][] = [];
  for (let at = from; at < end; at++) {
    const low = characters[at] ?? '';
    const isRange = characters[at + 1] === '-' && at + 2 < end;
    ranges.push([low, isRange ? (characters[at + 2] ?? low) : low]);
    if (isRange) at += 2;
  }
  return { token: { kind: 'class', negated, ranges }, end };
}

/** Both matchers below walk forward and go back to the last star only: earlier stars never need another try. */
function matchSegments(segments: readonly Segment[], names: readonly string[], hidden: boolean): boolean {
  let at = 0;
  let name = 0;
  let star = -1;
  let starName = 0;
  while (name < names.length) {
    const segment = segments[at];
    const text = names[name] ?? '';
    if (segment === 'globstar') {
      star = at;
      starName = name;
      // A `**` at the end stands for at least one element: `dir/**` is what lies in dir, not dir itself.
      at += 1;
      if (at === segments.length) return names.slice(name).every((each) => hidden || !each.startsWith('.'));
    } else if (segment !== undefined && matchName(segment, text, hidden)) {
      at += 1;
      name += 1;
    } else if (star >= 0 && (hidden || !(names[starName] ?? '').startsWith('.'))) {
      starName += 1;
      name = starName;
      at = star + 1;
    } else {
      return false;
    }
  }
  return at === segments.length;
}

function matchName(segment: NamePattern, name: string, hidden: boolean): boolean {
  if (segment.literal !== null) return segment.literal === name;
  const [first] = segment.tokens;
  if (!hidden && name.startsWith('.') && first?.kind !== 'literal') return false;
  if (segment.suffix !== null) return name.endsWith(segment.suffix);
  return matchTokens(segment.tokens, Array.from(name));
}

function matchTokens(tokens: readonly Token[], name: readonly string[]): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let starPosition = 0;
  while (position < name.length) {
    const token = tokens[at];
    if (token?.kind === 'star') {
      star = at;
      starPosition = position;
      at += 1;
    } else if (token !== undefined && matchCharacter(token, name[position] ?? '')) {
      at += 1;
      position += 1;
    } else if (star >= 0) {
      starPosition += 1;
      position = starPosition;
      at = star + 1;
    } else {
      return false;
    }
  }
  return tokens.slice(at).every((token) => token.kind === 'star');
}

function matchCharacter(token: Token, character: string): boolean {
  if (token.kind === 'literal') return token.text === character;
  if (token.kind !== 'class') return true;
  const inside = token.ranges.some(([low, high]) => low <= character && character <= high);
  return inside !== token.negated;
}
