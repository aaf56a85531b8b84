import type { Entry } from '../../tree/entry.ts';
import type { TreePath } from '../../tree/path.ts';
import { nullIfUnreachable } from '../unreachable.ts';
import type { Attributes, ReadVolume } from '../volume-types.ts';
import type { SearchState } from './search-state.ts';
import type { SearchQuery } from './search-types.ts';

/** What is asked of a volume, and what bounds the answer. */
export interface TaggedParts {
  readonly volume: ReadVolume;
  readonly tagged: Attributes['tagged'];
  readonly query: SearchQuery;
  readonly state: SearchState;
  readonly signal: AbortSignal;
}

const PATHS_A_PAGE = 500;
/** More are not held in memory for a search. */
const MAX_PATHS = 50_000;

/** What has all the tags of the query and is there: a process may have removed files that still have some. */
export async function* taggedEntries({ volume, tagged, query, state, signal }: TaggedParts): AsyncGenerator<Entry> {
  let after: TreePath | null = null;
  for (let looked = 0; ; ) {
    const page = await tagged(volume.ref, query.tags, { within: query.path, after, limit: PATHS_A_PAGE });
    for (const path of page.paths) {
      signal.throwIfAborted();
      if (state.isOver() || !state.takeEntry()) return;
      // A file or a link where a directory was: what was tagged below it is gone.
      const entry = await volume.find(path).catch(nullIfUnreachable);
      if (entry !== null) yield entry;
    }
    looked += page.paths.length;
    after = page.next;
    if (after === null) return;
    if (looked >= MAX_PATHS) return state.cut();
  }
}
