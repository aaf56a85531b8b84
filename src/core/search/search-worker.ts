import { type ErrorCode, type ErrorDetail, FsError } from '../../errors.ts';
import type { TreePath } from '../../tree/path.ts';
import { openSurvey } from '../../tree/survey.ts';
import { preparePattern } from './search-pattern.ts';
import { SearchState } from './search-state.ts';
import type { SearchLimits, SearchQuery, SearchResult } from './search-types.ts';
import { type SearchedEntry, SearchWalk } from './search-walk.ts';

/** A part of a search for one thread. */
export interface SearchTask {
  /** Of the tree. */
  readonly hostPath: string;
  readonly query: SearchQuery;
  readonly limits: SearchLimits;
  /** Shared by all tasks of the search; see search-state.ts. */
  readonly memory: SharedArrayBuffer;
  /** Where this part begins: these directories with all that is below them, or these entries alone. */
  readonly from: readonly TreePath[] | { readonly alone: readonly SearchedEntry[] };
}

export type SearchOutcome =
  | { readonly results: readonly SearchResult[]; readonly rest: readonly TreePath[] }
  | { readonly refused: { readonly code: ErrorCode; readonly message: string; readonly detail: ErrorDetail } };

/** The body of a search thread: several tasks take turns in it, and it alone waits for the disk. */
export default async function search(task: SearchTask): Promise<SearchOutcome> {
  const { query, limits, memory, hostPath, from } = task;
  try {
    const state = new SearchState(memory, limits, query.maxResults);
    const pattern = preparePattern(query, () => state.isOver());
    const parts = { survey: openSurvey(hostPath), query, pattern, state, maxLines: limits.lines };
    const walk = new SearchWalk(parts, 'alone' in from ? [] : from);
    if ('alone' in from) await walk.look(from.alone);
    const rest = await walk.run();
    return { results: walk.results, rest };
  } catch (error) {
    // An error loses its class between threads.
    if (!(error instanceof FsError)) throw error;
    return { refused: { code: error.code, message: error.message, detail: error.detail } };
  }
}
