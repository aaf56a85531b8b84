import { findRun, type StoredRun } from '../db/runs.ts';
import { ROOT, type TreePath } from '../tree/path.ts';
import { accountOf } from './account.ts';
import { openCapture } from './capture.ts';
import { runLock } from './delivery.ts';
import { captureRulesOf, type RunParts, workspaceOf } from './run-parts.ts';
import { systemGrant } from './system-grant.ts';
import type { Watched } from './watches.ts';

/** Capture while runs go on. It only ever helps: whatever it misses or fails at, the finish finds. */
export interface LiveCaptures {
  /** Watches the run's workspace, unless capture is off or too many are watched already. */
  watch(run: StoredRun): Promise<void>;
  /** Ends the watching of one run, after what is being captured at this moment. */
  stop(runId: string): Promise<void>;
  /** Ends the watching of runs that ended elsewhere. */
  prune(): Promise<void>;
  close(): Promise<void>;
}

const MAX_WATCHED = 256;
const MAX_WAITING_PATHS = 10_000;
/** A look begins when nothing has changed for a moment, and at the latest this long after the first change. */
const QUIET_MS = 250;
const LATEST_MS = 2_000;
/** A look that took long is followed by a pause that is this many times as long, so that capture stays in the background. */
const REST_FACTOR = 5;
const SCAN_MS = 10_000;

export function openLiveCaptures(parts: RunParts): LiveCaptures {
  const watched = new Map<string, LiveCapture>();

  async function stop(runId: string): Promise<void> {
    const live = watched.get(runId);
    watched.delete(runId);
    await live?.close();
  }

  async function prune(): Promise<void> {
    for (const runId of watched.keys()) {
      const run = await findRun(parts.db, runId);
      if (run?.status !== 'running' || run.instance !== parts.instance) await stop(runId);
    }
  }

  return {
    async watch(run) {
      if (!captureRulesOf(run).enabled || watched.has(run.id)) return;
      if (watched.size >= MAX_WATCHED) await prune();
      if (watched.size >= MAX_WATCHED) return;
      watched.set(run.id, new LiveCapture(parts, run));
    },
    stop,
    prune,
    async close() {
      await Promise.all([...watched.keys()].map(stop));
    },
  };
}

class LiveCapture {
  readonly #parts: RunParts;
  readonly #run: StoredRun;
  readonly #abort = new AbortController();
  #beginning: Promise<void>;
  #watched: Watched | null = null;
  #waiting = new Set<TreePath>();
  #timer: NodeJS.Timeout | null = null;
  #firstAt = 0;
  #restUntil = 0;
  #scans = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: RunParts, run: StoredRun) {
    this.#parts = parts;
    this.#run = run;
    this.#beginning = this.#begin();
  }

  /** In the background: a run does not wait for it. What changed before is found by a look at everything. */
  async #begin(): Promise<void> {
    try {
      this.#watched = await this.#parts.watches.watch(accountOf(workspaceOf(this.#run)), {
        onChange: (changes) => {
          for (const { path } of changes) this.#notice(path);
        },
        onGap: () => this.#notice(ROOT),
        onOverflow: () => this.#scan(),
        signal: this.#abort.signal,
      });
      this.#notice(ROOT);
    } catch (error) {
      this.#parts.log.warn(
        { err: error, run: this.#run.id },
        'a workspace cannot be watched; its run is captured at its end',
      );
    }
  }

  async close(): Promise<void> {
    this.#abort.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#beginning;
    await this.#watched?.close();
    await this.#looking;
  }

  /** Without a watcher everything is looked at now and then. */
  #scan(): void {
    this.#scans = true;
    this.#notice(ROOT);
  }

  /** @param path what may have changed; the root when it is not known any more what did */
  #notice(path: TreePath): void {
    if (this.#abort.signal.aborted) return;
    if (this.#waiting.size === 0) this.#firstAt = performance.now();
    if (path === ROOT || this.#waiting.size >= MAX_WAITING_PATHS) this.#waiting = new Set([ROOT]);
    else if (!this.#waiting.has(ROOT)) this.#waiting.add(path);
    this.#plan();
  }

  #plan(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const now = performance.now();
    const quietAt = Math.min(now + QUIET_MS, this.#firstAt + LATEST_MS);
    this.#timer = setTimeout(() => this.#look(), Math.max(quietAt, this.#restUntil) - now);
    this.#timer.unref();
  }

  #look(): void {
    const paths = this.#waiting;
    this.#waiting = new Set();
    this.#timer = null;
    this.#looking = this.#looking.then(() => this.#capture(paths));
  }

  async #capture(paths: ReadonlySet<TreePath>): Promise<void> {
    if (this.#abort.signal.aborted) return;
    const began = performance.now();
    try {
      await this.#parts.locks.withPathLock(runLock(this.#run), [ROOT], () => this.#glance(paths));
    } catch (error) {
      this.#parts.log.warn({ err: error, run: this.#run.id }, 'changes of a live run wait for its end to be captured');
    }
    const ended = performance.now();
    this.#restUntil = ended + Math.max(this.#scans ? SCAN_MS : 0, (ended - began) * REST_FACTOR);
    if (this.#scans) this.#notice(ROOT);
  }

  async #glance(paths: ReadonlySet<TreePath>): Promise<void> {
    const run = await findRun(this.#parts.db, this.#run.id);
    if (run?.status !== 'running' || run.finishing !== null) return;
    const system = systemGrant(workspaceOf(run).tenant);
    const volume = await this.#parts.volumes.open(system, workspaceOf(run), 'read');
    await openCapture(this.#parts, run, volume, system).glance(paths, this.#abort.signal);
  }
}
