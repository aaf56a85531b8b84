import { type DiskChange, Hints } from './hints.ts';
import { parsePath, ROOT, type TreePath } from './path.ts';
import type { Home } from './root.ts';
import { type Lease, openLease } from './watch-thread.ts';
import type { Hinted } from './watch-wire.ts';

export type { DiskChange } from './hints.ts';

export interface WatchOptions {
  /** Directories beyond which watching costs more than it is worth. */
  readonly maxDirs: number;
  /** What changed, some hundred at a time, a moment after it did. One call at a time; a rejection counts as overflow. */
  readonly onChange: (changes: readonly DiskChange[]) => Promise<void> | void;
  /**
   * More happened on the machine at once than could be told: anything may have changed before this call, and only what changes
   * after it is told again. Look at everything. May be called any number of times, with a pause between that grows with the tree.
   */
  readonly onGap: () => void;
  /**
   * Called once when watching had to stop: the tree is too large or changes too fast, the machine has no watches left, or the
   * thread that watches was lost. Nothing is told any more, and what changed last may never have been. Scan instead, or watch
   * again later, and look at everything once that has begun.
   */
  readonly onOverflow: () => void;
  /** Gives up the first look and closes the watcher. */
  readonly signal?: AbortSignal;
}

/** A watch over one tree. After `close` nothing is called any more. */
export interface TreeWatcher {
  /** How many are watched at this moment, the root among them; none once it had to stop. */
  readonly directories: number;
  close(): Promise<void>;
}

// A first look that takes longer is being kept busy by somebody.
const READY_MS = 60_000;
/** A gap seldom comes alone. */
const GAP_REST_MS = 500;
/** Looking again is followed by a pause that is this many times as long, so that no neighbour can keep the disk busy by causing gaps. */
const GAP_REST_FACTOR = 10;
const MAX_CHANGES = 500;
const ENTRIES_PER_DIRECTORY = 10;
const MAX_ODD_NAMES = 1000;

/**
 * Watches a home's tree for what other processes do in it. Resolves when changes made from now on will be told, or at once
 * after overflow. The watcher below (in a thread of its own) sees paths, and may be led outside by swapped links: what it says
 * is a hint, looked at through the tree first. Changes in quick succession are told as one; a directory that is made or moved
 * is told with all its content. What happens inside a directory whose own name is not UTF-8 is not told.
 * @throws not_found where the tree was removed
 */
export async function watchTree(home: Home, options: WatchOptions): Promise<TreeWatcher> {
  const watcher = new Watcher(home, options);
  await watcher.begin();
  return watcher;
}

class Watcher implements TreeWatcher {
  readonly #home: Home;
  readonly #options: WatchOptions;
  #hints: Hints;
  #pending = new Set<TreePath>();
  /** Directories in which something changed whose name is not UTF-8. */
  #odd = new Set<TreePath>();
  #lease: Lease | null = null;
  #gapTimer: NodeJS.Timeout | null = null;
  #restUntil = 0;
  /** One look or telling after the other. */
  #work: Promise<void> = Promise.resolve();
  #isPlanned = false;
  #isReady = false;
  #stopWaiting: () => void = () => undefined;
  #isOver = false;

  constructor(home: Home, options: WatchOptions) {
    this.#home = home;
    this.#options = options;
    this.#hints = new Hints(home.tree);
  }

  get directories(): number {
    return this.#isOver ? 0 : this.#hints.directories + 1;
  }

  async begin(): Promise<void> {
    const { signal } = this.#options;
    signal?.addEventListener('abort', () => this.#end(), { once: true });
    if (signal?.aborted === true) this.#end();
    const look = this.#look();
    this.#work = look.catch(() => this.#end());
    await look;
  }

  async close(): Promise<void> {
    this.#end();
    await this.#work;
  }

  /** Takes in what there is, then what changed while it did; nothing of it is told. */
  async #look(): Promise<void> {
    this.#isReady = false;
    this.#hints = new Hints(this.#home.tree);
    const everything = { depth: Number.MAX_SAFE_INTEGER, entries: Number.MAX_SAFE_INTEGER };
    for await (const entry of this.#home.tree.walk(ROOT, everything)) {
      this.#hints.see(entry);
      if (this.#isTooMuch()) this.#overflow();
      if (this.#isOver) return;
    }
    await this.#untilWatched();
    await this.#tellPending(false);
    this.#isReady = true;
    this.#plan();
  }

  /** Resolves too when it is over. */
  async #untilWatched(): Promise<void> {
    if (this.#isOver) return;
    const tooLong = setTimeout(() => this.#overflow(), READY_MS);
    await new Promise<void>((resolve) => {
      this.#stopWaiting = resolve;
      if (this.#lease !== null) this.#lease.again();
      else this.#lease = this.#openLease();
    });
    clearTimeout(tooLong);
  }

  #openLease(): Lease {
    return openLease(this.#home.hostPath, {
      onReady: () => this.#stopWaiting(),
      onHints: (hinted) => this.#take(hinted),
      onGap: () => this.#planLook(),
      onLost: () => this.#overflow(),
    });
  }

  #take({ paths, odd }: Hinted): void {
    for (const text of paths) {
      const path = parsed(text);
      // While it looks for the first time it names all there is.
      if (path !== null && path !== ROOT && (this.#isReady || !this.#hints.hasSeen(path))) this.#pending.add(path);
    }
    for (const text of odd) {
      const dir = parsed(text);
      if (dir !== null) this.#odd.add(dir);
    }
    this.#plan();
  }

  #isTooMuch(): boolean {
    const { maxDirs } = this.#options;
    const maxEntries = maxDirs * ENTRIES_PER_DIRECTORY;
    return this.#hints.directories > maxDirs || Math.max(this.#hints.entries, this.#pending.size) > maxEntries;
  }

  #plan(): void {
    if (this.#isTooMuch()) this.#overflow();
    if (!this.#isReady || this.#isPlanned || this.#pending.size + this.#odd.size === 0) return;
    this.#isPlanned = true;
    this.#next(() => {
      this.#isPlanned = false;
      return this.#tellPending(true);
    });
  }

  #planLook(): void {
    if (this.#isOver || this.#gapTimer !== null) return;
    const pause = Math.max(GAP_REST_MS, this.#restUntil - performance.now());
    this.#gapTimer = setTimeout(() => this.#next(() => this.#lookAgain()), pause);
    this.#gapTimer.unref();
  }

  async #lookAgain(): Promise<void> {
    // From now on a gap is another one.
    this.#gapTimer = null;
    const began = performance.now();
    await this.#look();
    const ended = performance.now();
    this.#restUntil = ended + (ended - began) * GAP_REST_FACTOR;
    if (!this.#isOver) this.#options.onGap();
  }

  #next(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => (this.#isOver ? undefined : step())).catch(() => this.#overflow());
  }

  async #tellPending(isLoud: boolean): Promise<void> {
    const pending = this.#pending;
    const odd = this.#odd;
    this.#pending = new Set();
    this.#odd = new Set();
    for (const dir of odd) for (const path of await this.#hints.oddNames(dir, MAX_ODD_NAMES)) pending.add(path);
    const paths = [...pending];
    for (let from = 0; from < paths.length && !this.#isOver; from += MAX_CHANGES) {
      const changes = await this.#hints.confirm(paths.slice(from, from + MAX_CHANGES));
      if (isLoud && !this.#isOver && changes.length > 0) await this.#options.onChange(changes);
      if (this.#isTooMuch()) this.#overflow();
    }
  }

  #overflow(): void {
    if (this.#isOver) return;
    this.#end();
    this.#options.onOverflow();
  }

  #end(): void {
    this.#isOver = true;
    if (this.#gapTimer !== null) clearTimeout(this.#gapTimer);
    this.#lease?.close();
    this.#stopWaiting();
  }
}

function parsed(text: string): TreePath | null {
  try {
    return text === '' ? ROOT : parsePath(text);
  } catch {
    // Too long for a path, or not of this tree.
    return null;
  }
}
