import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { type FSWatcher, watch } from 'chokidar';
import { hasCode } from './disk-error.ts';
import type { Command, Report } from './watch-wire.ts';

/**
 * The body of the thread that watches trees. Whoever may write in one can cause events as fast as they are read, and they
 * are read to the end before anything else gets its turn: here that end is awaited, and not on the daemon's event loop.
 */

const COALESCE_MS = 100;
const BATCH = 500;
/** What a tree may cause at once. Unpacking 50 000 files stays below it. */
const BURST_EVENTS = 300_000;
/** What a tree may cause all the time. */
const EVENTS_PER_SECOND = 5_000;
const REPLACEMENT = '\ufffd';

const port = parentPort;
if (port === null) throw new Error('watch-worker runs as a worker thread');
const report = (what: Report): void => port.postMessage(what);

interface Watched {
  readonly id: number;
  readonly hostPath: string;
  below: FSWatcher;
  readonly paths: Set<string>;
  readonly odd: Set<string>;
  timer: NodeJS.Timeout | null;
  /** How many events it may still cause, and when that was counted. */
  allowance: number;
  countedAt: number;
}

const watched = new Map<number, Watched>();
// Half of what the kernel keeps unread, because some of what it kept is never handed on (about what is not watched any more).
const gapEvents = maxQueuedEvents() / 2;
let eventsInTurn = 0;

// Closed while it looks at a directory, the watcher below closes that one's handle only after the look, which a flood never lets
// it finish. So the handles are known here too.
const handles = new Map<fs.FSWatcher, string>();
const openHandle = fs.watch;
Object.assign(fs, {
  watch(...args: Parameters<typeof fs.watch>): fs.FSWatcher {
    const handle = openHandle(...args);
    handles.set(handle, `${args[0]}`);
    return handle.once('close', () => handles.delete(handle));
  },
});
syncBuiltinESMExports();

port.on('message', (command: Command) => {
  if (command.kind === 'open') open(command.id, command.hostPath);
  else if (command.kind === 'ping') report({ kind: 'pong' });
  else {
    const tree = watched.get(command.id);
    if (tree === undefined) return;
    if (command.kind === 'close') watched.delete(tree.id);
    // What is unread of a tree when it is closed is never handed on, so nobody could tell whether the kernel kept it all.
    afterReading(command.kind === 'close' ? () => shut(tree) : () => again(tree));
  }
});

/** Calls back when all events that there are now have been read. */
function afterReading(then: () => void): void {
  setImmediate(() => setImmediate(then));
}

function open(id: number, hostPath: string): void {
  const noted = { paths: new Set<string>(), odd: new Set<string>(), timer: null };
  const counted = { allowance: BURST_EVENTS, countedAt: performance.now() };
  const tree: Watched = { id, hostPath, below: watcherOf(hostPath), ...noted, ...counted };
  watched.set(id, tree);
  listen(tree);
}

function again(tree: Watched): void {
  if (!watched.has(tree.id)) return;
  tree.below.close().catch(ignore);
  tree.below = watcherOf(tree.hostPath);
  listen(tree);
}

/** Its watches are given back before this returns. What it still looks at may never end, and matters to nobody. */
function shut(tree: Watched): void {
  if (tree.timer !== null) clearTimeout(tree.timer);
  tree.below.close().catch(ignore);
}

/** At once, even amid the events of a tree: only that ends them. Who else watches it loses it too. */
function lose({ hostPath }: Watched): void {
  for (const tree of watched.values()) {
    if (tree.hostPath !== hostPath) continue;
    watched.delete(tree.id);
    shut(tree);
    report({ kind: 'lost', id: tree.id });
  }
  for (const [handle, path] of handles) if (`${path}/`.startsWith(`${hostPath}/`)) handle.close();
  // What is unread of it is not handed on either: see afterReading.
  count(gapEvents);
}

function watcherOf(hostPath: string): FSWatcher {
  return watch(hostPath, {
    followSymlinks: false,
    ignoreInitial: false,
    // It would hide files that look like an editor's.
    atomic: false,
    ignorePermissionErrors: true,
  });
}

function listen(tree: Watched): void {
  tree.below.on('all', (_, path) => note(tree, tree.paths, path));
  tree.below.on('raw', (_, name, where) => {
    if (!isAllowed(tree)) lose(tree);
    else if (name?.includes(REPLACEMENT) === true) note(tree, tree.odd, watchedPath(where) ?? tree.hostPath);
  });
  tree.below.on('error', (error) => {
    // What vanishes or is swapped while it looks at it is no matter; a lack of watches is.
    if (hasCode(error, 'ENOSPC', 'EMFILE', 'ENFILE')) lose(tree);
  });
  tree.below.once('ready', () => {
    flush(tree);
    report({ kind: 'ready', id: tree.id });
  });
}

/** Takes one event off what the tree may cause. */
function isAllowed(tree: Watched): boolean {
  count(1);
  const now = performance.now();
  const grown = tree.allowance + ((now - tree.countedAt) / 1000) * EVENTS_PER_SECOND;
  tree.allowance = Math.min(grown, BURST_EVENTS) - 1;
  tree.countedAt = now;
  return tree.allowance > 0;
}

/** Adds to the events of all trees that are read without a pause. */
function count(events: number): void {
  if (eventsInTurn === 0) setImmediate(endTurn);
  eventsInTurn += events;
}

function endTurn(): void {
  if (eventsInTurn >= gapEvents) report({ kind: 'gap' });
  eventsInTurn = 0;
}

function note(tree: Watched, among: Set<string>, hostPath: string): void {
  among.add(hostPath.slice(tree.hostPath.length + 1));
  if (tree.paths.size + tree.odd.size >= BATCH) flush(tree);
  else tree.timer ??= setTimeout(() => flush(tree), COALESCE_MS);
}

function flush(tree: Watched): void {
  if (tree.timer !== null) clearTimeout(tree.timer);
  tree.timer = null;
  if (tree.paths.size + tree.odd.size === 0) return;
  report({ kind: 'hints', id: tree.id, paths: [...tree.paths], odd: [...tree.odd] });
  tree.paths.clear();
  tree.odd.clear();
}

function watchedPath(where: unknown): string | undefined {
  return { ...(where as { readonly watchedPath?: string }) }.watchedPath;
}

function maxQueuedEvents(): number {
  try {
    return Number(fs.readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
  } catch {
    // Not Linux, or no such file system: what Linux has by default.
    return 16_384;
  }
}

function ignore(): void {
  // A watcher that fails to close is silent all the same.
}
