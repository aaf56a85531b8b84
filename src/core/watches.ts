import type { DataRoot } from '../tree/root.ts';
import { type TreeWatcher, type WatchOptions, watchTree } from '../tree/watch.ts';
import { type Account, homeOf, lockName } from './account.ts';

/** One who wants to know what other processes do in a volume. Its rejection, its overflow and its signal are its own. */
export type Watching = Omit<WatchOptions, 'maxDirs'>;

/** One's part in a watch. */
export interface Watched {
  /** After this nothing is called any more. The last one's closing ends the watch. */
  close(): Promise<void>;
}

/** The watches of this process over the trees of volumes: one for each volume, however many want to know. */
export interface Watches {
  /**
   * Resolves when changes made from now on are told, or once the signal aborts: then nothing is. Where too much is watched
   * already, that is an overflow. @throws as watchTree
   */
  watch(account: Account, watching: Watching): Promise<Watched>;
  /** Directories watched at this moment. */
  directories(): number;
}

export interface WatchesParts {
  readonly root: DataRoot;
  /** Directories watched per volume; beyond it, overflow. */
  readonly maxDirs: number;
}

const MAX_WATCHES = 256;

export function openWatches({ root, maxDirs }: WatchesParts): Watches {
  const shared = new Map<string, SharedWatch>();

  function join(account: Account): SharedWatch | null {
    const name = lockName(account);
    const known = shared.get(name);
    if (known !== undefined) return known;
    if (shared.size >= MAX_WATCHES) return null;
    const begun = new SharedWatch(
      async (watching) => watchTree(await root.open(homeOf(account)), { maxDirs, ...watching }),
      () => {
        if (shared.get(name) === begun) shared.delete(name);
      },
    );
    shared.set(name, begun);
    return begun;
  }

  return {
    async watch(account, watching) {
      const one = join(account);
      if (one !== null) return one.join(watching);
      watching.onOverflow();
      return { close: async () => undefined };
    },
    directories: () => [...shared.values()].reduce((sum, one) => sum + one.directories, 0),
  };
}

class SharedWatch {
  readonly #all = new Set<Watching>();
  readonly #begun: Promise<TreeWatcher>;
  readonly #onOver: () => void;
  readonly #leaving = new AbortController();
  #watcher: TreeWatcher | null = null;

  /** @param onOver called when nobody may join any more */
  constructor(begin: (watching: Watching) => Promise<TreeWatcher>, onOver: () => void) {
    this.#onOver = onOver;
    this.#begun = begin({
      onChange: (changes) => this.#tell(changes),
      onGap: () => {
        for (const one of this.#all) one.onGap();
      },
      onOverflow: () => this.#overflow(),
      signal: this.#leaving.signal,
    });
    this.#begun.then(
      (watcher) => {
        this.#watcher = watcher;
      },
      // Everyone who joined is told by `join`.
      onOver,
    );
  }

  get directories(): number {
    return this.#watcher?.directories ?? 0;
  }

  async join(watching: Watching): Promise<Watched> {
    this.#all.add(watching);
    const { signal } = watching;
    // What fails in it fails here too.
    const giveUp = () => void this.#leave(watching).catch(() => undefined);
    if (signal?.aborted === true) giveUp();
    signal?.addEventListener('abort', giveUp, { once: true });
    await this.#begun;
    return {
      close: () => {
        signal?.removeEventListener('abort', giveUp);
        return this.#leave(watching);
      },
    };
  }

  async #leave(watching: Watching): Promise<void> {
    const wasPart = this.#all.delete(watching);
    if (!wasPart || this.#all.size > 0) return;
    this.#onOver();
    this.#leaving.abort();
    await (await this.#begun).close();
  }

  async #tell(changes: Parameters<Watching['onChange']>[0]): Promise<void> {
    await Promise.all(
      [...this.#all].map(async (one) => {
        try {
          await one.onChange(changes);
        } catch {
          // As watchTree has it: who could not take it in has to look at everything.
          if (this.#all.has(one)) this.#dismiss(one);
        }
      }),
    );
  }

  #dismiss(one: Watching): void {
    // Not awaited: the closing waits for the telling that this is a part of.
    void this.#leave(one);
    one.onOverflow();
  }

  #overflow(): void {
    this.#onOver();
    const all = [...this.#all];
    this.#all.clear();
    for (const one of all) one.onOverflow();
  }
}
