import { type FSWatcher, watch } from 'chokidar';
import { hasCode } from './disk-error.ts';
import { type DiskChange, Hints } from './hints.ts';
import { parsePath, ROOT, type TreePath } from './path.ts';
import type { Home } from './root.ts';

export type { DiskChange } from './hints.ts';

export interface WatchOptions {
  /** Directories beyond which watching costs more than it is worth. */
  readonly maxDirs: number;
  /** What changed, some hundred at a time, a moment after it did. One call at a time; a rejection counts as overflow. */
  readonly onChange: (changes: readonly DiskChange[]) => Promise<void> | void;
  /** Called once when watching had to stop: the tree is too large, or the machine has no watches left. Scan instead. */
  readonly onOverflow: () => void;
}

/** A watch over one tree. After `close` nothing is called any more. */
export interface TreeWatcher {
  /** How many are watched at this moment, the root among them; none once it had to stop. */
  readonly directories: number;
  close(): Promise<void>;
}

const COALESCE_MS = 100;
// A first look that takes longer is being kept busy by somebody.
const READY_MS = 60_000;
const CLOSE_MS = 500;
const MAX_CHANGES = 500;
const ENTRIES_PER_DIRECTORY = 10;
const MAX_ODD_NAMES = 1000;
const REPLACEMENT = '\ufffd';

/**
 * Watches a home's tree for what other processes do in it. Resolves when changes made from now on will be told. The watcher
 * below sees paths, and may be led outside by swapped links: what it says is a hint, looked at through the tree first.
 * Changes in quick succession are told as one; a directory that is made or moved is told with all its content. What happens
 * inside a directory whose own name is not UTF-8 is not told.
 * @throws not_found where the tree was removed
 */
export async function watchTree(home: Home, options: WatchOptions): Promise<TreeWatcher> {
  const hints = new Hints(home.tree);
  const watcher = new Watcher(home, hints, options);
  for await (const entry of home.tree.walk(ROOT, {
    depth: Number.MAX_SAFE_INTEGER,
    entries: Number.MAX_SAFE_INTEGER,
  })) {
    hints.see(entry);
    if (watcher.isTooMuch()) {
      options.onOverflow();
      return { directories: 0, close: async () => undefined };
    }
  }
  await watcher.begin();
  return watcher;
}

class Watcher implements TreeWatcher {
  readonly #home: Home;
  readonly #hints: Hints;
  readonly #options: WatchOptions;
  #pending = new Set<TreePath>();
  /** Directories in which something changed whose name is not UTF-8: the watcher below cannot say which. */
  #odd = new Set<TreePath>();
  #below: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  #telling: Promise<void> = Promise.resolve();
  #isReady = false;
  #stopWaiting: () => void = () => undefined;
  #isOver = false;

  constructor(home: Home, hints: Hints, options: WatchOptions) {
    this.#home = home;
    this.#hints = hints;
    this.#options = options;
  }

  get directories(): number {
    return this.#isOver ? 0 : this.#hints.directories + 1;
  }

  async begin(): Promise<void> {
    const below = watch(this.#home.hostPath, {
      followSymlinks: false,
      ignoreInitial: false,
      // It would hide files that look like an editor's.
      atomic: false,
      ignorePermissionErrors: true,
      persistent: false,
    });
    this.#below = below;
    below.on('all', (_, path) => this.#hint(path));
    below.on('raw', (_, name, where) => this.#oddHint(name, where));
    below.on('error', (error) => {
      // What vanishes or is swapped while it looks at it is no matter; a lack of watches is.
      if (hasCode(error, 'ENOSPC', 'EMFILE', 'ENFILE')) this.#overflow();
    });
    const tooLong = setTimeout(() => this.#overflow(), READY_MS);
    await new Promise<void>((resolve) => {
      below.once('ready', resolve);
      this.#stopWaiting = resolve;
    });
    clearTimeout(tooLong);
    this.#isReady = true;
    await this.#tell(false);
  }

  isTooMuch(): boolean {
    const { maxDirs } = this.#options;
    const maxEntries = maxDirs * ENTRIES_PER_DIRECTORY;
    return this.#hints.directories > maxDirs || Math.max(this.#hints.entries, this.#pending.size) > maxEntries;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#below !== null) await closed(this.#below);
    await this.#telling;
  }

  #hint(hostPath: string): void {
    if (this.#isOver || hostPath === this.#home.hostPath) return;
    const path = parsed(hostPath.slice(this.#home.hostPath.length + 1));
    if (path === null) return;
    // Its first look at what is there already.
    if (!this.#isReady && this.#hints.hasSeen(path)) return;
    this.#pending.add(path);
    this.#plan();
  }

  /** A name that is not UTF-8 comes as one that does not exist: everything odd in its directory is looked at. */
  #oddHint(name: string | null, where: unknown): void {
    if (this.#isOver || name?.includes(REPLACEMENT) !== true) return;
    const { hostPath } = this.#home;
    const { watchedPath } = { watchedPath: hostPath, ...(where as { readonly watchedPath?: string }) };
    const dir = watchedPath === hostPath ? ROOT : parsed(watchedPath.slice(hostPath.length + 1));
    if (dir === null) return;
    this.#odd.add(dir);
    this.#plan();
  }

  #plan(): void {
    if (this.isTooMuch()) this.#overflow();
    else if (this.#isReady) this.#timer ??= setTimeout(() => this.#tell(), COALESCE_MS);
  }

  #tell(isLoud = true): Promise<void> {
    this.#timer = null;
    const pending = this.#pending;
    const odd = this.#odd;
    this.#pending = new Set();
    this.#odd = new Set();
    this.#telling = this.#telling.then(() => this.#tellOf(pending, odd, isLoud)).catch(() => this.#overflow());
    return this.#telling;
  }

  async #tellOf(pending: Set<TreePath>, odd: ReadonlySet<TreePath>, isLoud: boolean): Promise<void> {
    for (const dir of odd) for (const path of await this.#hints.oddNames(dir, MAX_ODD_NAMES)) pending.add(path);
    const paths = [...pending];
    for (let from = 0; from < paths.length && !this.#isOver; from += MAX_CHANGES) {
      const changes = await this.#hints.confirm(paths.slice(from, from + MAX_CHANGES));
      if (isLoud && !this.#isOver && changes.length > 0) await this.#options.onChange(changes);
      if (this.isTooMuch()) this.#overflow();
    }
  }

  #overflow(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#stopWaiting();
    if (this.#below !== null) void closed(this.#below);
    this.#options.onOverflow();
  }
}

/**
 * It falls silent and gives its watches back at once, but then waits for every look it has begun, and under a process that
 * swaps what it looks at, one of those may never end. Nobody can act on its failing to close either.
 */
async function closed(below: FSWatcher): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  await Promise.race([below.close().catch(() => undefined), patience]);
  clearTimeout(timer);
}

function parsed(text: string): TreePath | null {
  try {
    return parsePath(text);
  } catch {
    // Too long for a path, or not of this tree.
    return null;
  }
}
