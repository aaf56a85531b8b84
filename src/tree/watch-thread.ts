import { Worker } from 'node:worker_threads';
import { threadFile } from '../thread-file.ts';
import type { Command, Hinted, Report } from './watch-wire.ts';

const PING_MS = 5_000;
/** A thread that is silent for so many pings, half a minute, is stuck. */
const MAX_SILENT_PINGS = 6;
/** What it may remember of all trees; past it the thread ends, and the process does not. */
const MAX_HEAP_MB = 1024;

/** What is heard of one tree. After `onLost` nothing more. */
export interface Listener {
  onReady(): void;
  onHints(hinted: Hinted): void;
  /** Changes may have been missed, anywhere in the tree. */
  onGap(): void;
  onLost(): void;
}

/** The watch over one host directory. After `close` its listener is not called any more. */
export interface Lease {
  /** Looks at everything anew and watches what it finds; `onReady` says when it has. */
  again(): void;
  close(): void;
}

// One for the process, as its event loop is one: each thread would read a queue of its own.
let current: WatchThread | null = null;

/**
 * Watches a host directory, in one thread for all of them. The thread begins with the first lease and ends with the last;
 * it never keeps the process alive. One that dies or is stuck loses all its leases, and the next lease begins another.
 */
export function openLease(hostPath: string, listener: Listener): Lease {
  current ??= new WatchThread((ended) => {
    if (current === ended) current = null;
  });
  return current.open(hostPath, listener);
}

class WatchThread {
  readonly #worker: Worker;
  readonly #onEnd: (thread: WatchThread) => void;
  readonly #listeners = new Map<number, Listener>();
  readonly #pings: NodeJS.Timeout;
  #lastId = 0;
  #silentPings = 0;

  constructor(onEnd: (thread: WatchThread) => void) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(threadFile('watch-worker', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
      // The options of the process (such as --eval's) are not for this file.
      execArgv: [],
    });
    this.#worker.on('message', (report: Report) => this.#hear(report));
    // The exit follows.
    this.#worker.on('error', () => undefined);
    this.#worker.on('exit', () => this.#end());
    // A listener to messages holds the process, so this comes after it.
    this.#worker.unref();
    this.#pings = setInterval(() => this.#ping(), PING_MS);
    this.#pings.unref();
  }

  open(hostPath: string, listener: Listener): Lease {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#listeners.set(id, listener);
    this.#send({ kind: 'open', id, hostPath });
    return {
      again: () => this.#send({ kind: 'again', id }),
      close: () => {
        if (!this.#listeners.delete(id)) return;
        this.#send({ kind: 'close', id });
        this.#endIfUnused();
      },
    };
  }

  #hear(report: Report): void {
    this.#silentPings = 0;
    if (report.kind === 'pong') return;
    if (report.kind === 'gap') {
      for (const listener of this.#listeners.values()) listener.onGap();
      return;
    }
    const listener = this.#listeners.get(report.id);
    if (report.kind === 'ready') listener?.onReady();
    else if (report.kind === 'hints') listener?.onHints(report);
    else {
      this.#listeners.delete(report.id);
      listener?.onLost();
      this.#endIfUnused();
    }
  }

  #ping(): void {
    this.#silentPings++;
    if (this.#silentPings > MAX_SILENT_PINGS) this.#end();
    else this.#send({ kind: 'ping' });
  }

  #send(command: Command): void {
    this.#worker.postMessage(command);
  }

  #endIfUnused(): void {
    if (this.#listeners.size === 0) this.#end();
  }

  #end(): void {
    clearInterval(this.#pings);
    this.#onEnd(this);
    // Not awaited: what it looks at on a disk that hangs may never end.
    void this.#worker.terminate();
    const lost = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of lost) listener.onLost();
  }
}
