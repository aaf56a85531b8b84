import type { Entry } from '../../tree/entry.ts';
import type { TreePath } from '../../tree/path.ts';
import type { RewriteOptions, Volume } from '../volume-types.ts';
import type { UnifiedDiff } from './edit-diff.ts';

/** One exact replacement. Both strings are well-formed; `oldString` is not empty. */
export interface TextEdit {
  readonly oldString: string;
  readonly newString: string;
  /** Every occurrence; otherwise there must be exactly one. */
  readonly replaceAll: boolean;
}

export interface EditOptions extends RewriteOptions {
  /** Nothing is changed, and nothing is locked: the file may be another by the time it is edited. */
  readonly dryRun: boolean;
  /** Aborting it ends the work before anything is placed. */
  readonly signal: AbortSignal;
}

export interface EditOutcome {
  /** The file after the edits; as it is, in a dry run. */
  readonly entry: Entry;
  /** Replacements made, or that would be. */
  readonly occurrences: number;
  readonly diff: UnifiedDiff;
}

/** Texts edited by one process. */
export interface Edits {
  /**
   * Replaces text in a file, all of the edits or none; see applyEdits for what they mean and Volume.rewrite for what holds while
   * they are made. Waits for its turn first: whatever is asked for, a few files at a time are in memory and on the event loop.
   * @throws unsupported for a file that is not UTF-8, rate_limited or unavailable where too many wait, what applyEdits and
   * Volume.rewrite throw, the signal's reason
   */
  edit(volume: Volume, path: TreePath, edits: readonly TextEdit[], options: EditOptions): Promise<EditOutcome>;
}
