import type { Kind } from '../../tree/entry.ts';
import type { TreePath } from '../../tree/path.ts';
import type { ReadVolume } from '../volume-types.ts';

/** What is looked for in a volume. */
export interface SearchQuery {
  /**
   * For names a glob, for content literal text; with `regex` a regular expression (RE2's syntax) for either. '' only with tags:
   * everything that has them.
   */
  readonly text: string;
  readonly within: 'names' | 'content' | 'both';
  /** The directory below which it looks, or the one file. */
  readonly path: TreePath;
  /** Only files that this glob matches are looked at; null for everything. */
  readonly filePattern: string | null;
  readonly caseSensitive: boolean;
  readonly regex: boolean;
  /** Lines shown before and after each line found. */
  readonly contextLines: number;
  /** Looks only at what has all of these; none for everything. What a `.gitignore` names is looked at then. */
  readonly tags: readonly string[];
  readonly maxResults: number;
  /** Looks also into `.git` and at what a `.gitignore` names. */
  readonly includeIgnored: boolean;
}

/** A line that was found. Long lines are cut to the part around what was found, and bytes that are not UTF-8 replaced. */
export interface FoundLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export interface SearchResult {
  readonly path: TreePath;
  readonly kind: Kind;
  readonly size: number;
  /** What was found in its content, or null where only its name was. */
  readonly lines: readonly FoundLine[] | null;
}

export interface SearchAnswer {
  /** By path. Where it was cut off, these need not be the first by path. */
  readonly results: readonly SearchResult[];
  /** True where a bound ended it: there may be more results, or more lines in some. */
  readonly truncated: boolean;
}

export interface Searches {
  /**
   * Looks through a volume in threads of its own, without the event loop. Files of which the first 8 KiB hold a NUL are binary,
   * and their content is not looked at. What changes meanwhile may or may not be seen. Whoever holds the volume may read it, so
   * nothing else is asked. Ends soon after `signal`. @throws invalid_request (the pattern), not_found, symlink, special_file, rate_limited, unavailable (too many searches at once)
   */
  find(volume: ReadVolume, query: SearchQuery, signal: AbortSignal): Promise<SearchAnswer>;
}

/** What a result or a line of it weighs besides its text: many small ones burden the event loop as few large ones do. */
export const ITEM_CHARACTERS = 128;

/** What ends a search before it has seen everything. */
export interface SearchLimits {
  readonly timeMs: number;
  readonly entries: number;
  /** Bytes of content read. */
  readonly bytes: number;
  /** Characters of the whole answer: paths, lines and context, and ITEM_CHARACTERS for each result and each line. */
  readonly characters: number;
  /** Of one file. */
  readonly lines: number;
}
