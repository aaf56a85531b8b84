import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { VolumeRef } from '../../auth/grant.ts';
import { FsError } from '../../errors.ts';
import { threadFile } from '../../thread-file.ts';
import type { Entry } from '../../tree/entry.ts';
import type { TreePath } from '../../tree/path.ts';
import type { Home } from '../../tree/root.ts';
import { type TurnLimits, Turns } from '../turns.ts';
import type { Attributes, ReadVolume } from '../volume-types.ts';
import { preparePattern } from './search-pattern.ts';
import { isPartial, offerSeats, SearchState, searchMemory, stopSearch } from './search-state.ts';
import {
  ITEM_CHARACTERS,
  type SearchAnswer,
  type Searches,
  type SearchLimits,
  type SearchQuery,
  type SearchResult,
} from './search-types.ts';
import type { SearchedEntry } from './search-walk.ts';
import type { SearchOutcome, SearchTask } from './search-worker.ts';
import { taggedEntries } from './tagged-entries.ts';

export interface SearchParts {
  home(ref: VolumeRef): Promise<Home>;
  readonly tagged: Attributes['tagged'];
  readonly limits?: Partial<SearchLimits>;
}

export interface InnerSearches extends Searches {
  /** Ends what is under way, and the threads. */
  close(): Promise<void>;
}

const LIMITS: SearchLimits = {
  timeMs: 10_000,
  entries: 2_000_000,
  bytes: 4 * 1024 * 1024 * 1024,
  characters: 2 * 1024 * 1024,
  lines: 1000,
};
const MIN_THREADS = 2;
const MAX_THREADS = 4;
/** Searches that take turns in one thread. */
const TURNS = 4;
/** With those that wait for a thread: one more is refused. */
const LIMITS_AT_ONCE: TurnLimits = { what: 'searches', atOnce: 64, perTenant: 32, retryAfterSeconds: 2 };
/** Of each thread: far more than its bounded queues need, so that none can take the daemon's memory. */
const MAX_HEAP_MB = 192;

/** Searches in threads that are started with the first of them. */
export function openSearches(parts: SearchParts): InnerSearches {
  const limits = { ...LIMITS, ...parts.limits };
  const threads = Math.min(MAX_THREADS, Math.max(MIN_THREADS, availableParallelism()));
  const running = new Set<SharedArrayBuffer>();
  const turns = new Turns(LIMITS_AT_ONCE);
  let pool: Piscina<SearchTask, SearchOutcome> | null = null;

  async function find(volume: ReadVolume, query: SearchQuery, signal: AbortSignal): Promise<SearchAnswer> {
    const memory = searchMemory();
    running.add(memory);
    const stop = () => stopSearch(memory);
    signal.addEventListener('abort', stop);
    try {
      signal.throwIfAborted();
      const start = await startOf(volume, query.path);
      const results =
        query.tags.length === 0
          ? await search(memory, volume, query, [start])
          : await among(memory, volume, query, signal);
      signal.throwIfAborted();
      return { results: results.sort(byPath), truncated: isPartial(memory) };
    } finally {
      signal.removeEventListener('abort', stop);
      running.delete(memory);
    }
  }

  async function search(
    memory: SharedArrayBuffer,
    volume: ReadVolume,
    query: SearchQuery,
    from: readonly SearchTask['from'][],
  ): Promise<SearchResult[]> {
    const { hostPath } = await parts.home(volume.ref);
    pool ??= openPool(threads);
    return conduct(pool, { hostPath, query, limits, memory }, from, threads);
  }

  /** A search of what has the tags of the query, or without a text a list of it. */
  async function among(
    memory: SharedArrayBuffer,
    volume: ReadVolume,
    query: SearchQuery,
    signal: AbortSignal,
  ): Promise<SearchResult[]> {
    const state = new SearchState(memory, limits, query.maxResults);
    const entries = taggedEntries({ volume, tagged: parts.tagged, query, state, signal });
    if (query.text === '') return listed(entries, query, state);
    const found: SearchedEntry[] = [];
    for await (const { path, kind } of entries) found.push({ path, kind });
    return search(
      memory,
      volume,
      query,
      dealt(found, threads).map((hand) => ({ alone: hand })),
    );
  }

  return {
    find: (volume, query, signal) => turns.during(volume.ref.tenant, signal, () => find(volume, query, signal)),
    async close() {
      for (const memory of running) stopSearch(memory);
      await pool?.destroy();
      pool = null;
    },
  };
}

function openPool(threads: number): Piscina<SearchTask, SearchOutcome> {
  return new Piscina({
    filename: threadFile('search-worker', import.meta.url).href,
    // All at once: else the first thread would be given everything.
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: TURNS,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    // The options of the process (such as --eval's) are not for these threads.
    execArgv: [],
  });
}

/** @throws not_found, symlink, special_file, unreadable */
async function startOf(volume: ReadVolume, path: TreePath): Promise<SearchTask['from']> {
  const { kind } = await volume.stat(path);
  if (kind === 'directory') {
    // Says so where the directory may not be read.
    for await (const _ of volume.walk(path, { depth: 1, entries: 1 })) break;
    return [path];
  }
  // Says what is wrong with anything but a file.
  await (await volume.open(path)).close();
  return { alone: [{ path, kind }] };
}

/** Plays one search: what one thread leaves undone is shared out among all that have nothing to do. */
async function conduct(
  pool: Piscina<SearchTask, SearchOutcome>,
  task: Omit<SearchTask, 'from'>,
  from: readonly SearchTask['from'][],
  threads: number,
): Promise<SearchResult[]> {
  const results: SearchResult[] = [];
  let active = 0;

  async function work(part: SearchTask['from']): Promise<void> {
    active += 1;
    const outcome = await pool.run({ ...task, from: part });
    active -= 1;
    if ('refused' in outcome) throw new FsError(outcome.refused.code, outcome.refused.message, outcome.refused.detail);
    results.push(...outcome.results);
    const shares = dealt(outcome.rest, threads - active);
    offerSeats(task.memory, Math.max(0, threads - active - shares.length));
    await Promise.all(shares.map(work));
  }

  try {
    offerSeats(task.memory, threads - from.length);
    await Promise.all(from.map(work));
  } catch (error) {
    stopSearch(task.memory);
    if (error instanceof FsError) throw error;
    const detail = { retryAfterSeconds: LIMITS_AT_ONCE.retryAfterSeconds };
    throw new FsError(
      'unavailable',
      'the search was ended before it was done; try it below one directory',
      detail,
      error,
    );
  }
  return results;
}

/** Dealt out like cards, since neighbours are often of a size. */
function dealt<T>(cards: readonly T[], hands: number): (readonly T[])[] {
  const count = Math.min(hands, cards.length);
  return Array.from({ length: count }, (_, hand) => cards.filter((_, n) => n % count === hand));
}

/** The entries as results, within the bounds of the search. */
async function listed(entries: AsyncIterable<Entry>, query: SearchQuery, state: SearchState): Promise<SearchResult[]> {
  const { allowsFile } = preparePattern({ ...query, text: '*', within: 'names', regex: false }, () => state.isOver());
  const results: SearchResult[] = [];
  for await (const { path, kind, size } of entries) {
    if (allowsFile !== null && (kind !== 'file' || !allowsFile(path))) continue;
    if (!state.takeCharacters(ITEM_CHARACTERS + path.length) || !state.takeResult()) break;
    results.push({ path, kind, size, lines: null });
  }
  return results;
}

function byPath(left: SearchResult, right: SearchResult): number {
  return left.path < right.path ? -1 : left.path > right.path ? 1 : 0;
}
