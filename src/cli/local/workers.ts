import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Log } from '../../log.ts';
import { GRACE_MS, STOP_WORKER, untilToldToStop } from './shutdown.ts';

// The primary waits a little longer than its workers do
const PRIMARY_GRACE_MS = GRACE_MS + 5000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
// A worker that lived this long is not one of a row that dies of the same thing
const HEALTHY_MS = 60_000;
// One that listened did not die of its start, and clients wait for its successor
const LONGEST_PAUSE_AFTER_LISTENING_MS = 1000;

/** What a worker tells its primary once it accepts requests: the lines that announce the daemon. */
interface Listening {
  readonly listening: readonly string[];
}

/** Says to the primary that this worker accepts requests. */
export function reportListening(lines: readonly string[]): void {
  const message: Listening = { listening: lines };
  process.send?.(message);
}

/**
 * Runs `count` processes of this same program, which share its ports. The first starts alone and is announced when it
 * listens; where it ends before, this process ends with its code. A worker that dies is replaced, after a pause that
 * doubles while they die young. Resolves once the others have been started.
 */
export async function superviseWorkers(
  count: number,
  log: Log,
  announce: (lines: readonly string[]) => void,
): Promise<void> {
  let stopping = false;
  untilToldToStop(
    async () => {
      stopping = true;
      await Promise.all(living().map(stop));
    },
    log,
    PRIMARY_GRACE_MS,
  );

  const listening = new Set<number>();
  cluster.on('listening', ({ id }) => listening.add(id));

  function replaceWhenDead(worker: Worker, pauseMs: number): void {
    const startedAt = performance.now();
    worker.once('exit', (code, signal) => {
      if (stopping) return;
      const wasHealthy = performance.now() - startedAt > HEALTHY_MS;
      const longest = listening.delete(worker.id) ? LONGEST_PAUSE_AFTER_LISTENING_MS : LONGEST_PAUSE_MS;
      const pause = wasHealthy ? FIRST_PAUSE_MS : Math.min(pauseMs, longest);
      log.error(
        { worker: worker.process.pid, code, signal, pauseMs: pause },
        'a worker ended; another takes its place',
      );
      setTimeout(() => {
        if (!stopping) replaceWhenDead(cluster.fork(), Math.min(pause * 2, LONGEST_PAUSE_MS));
      }, pause);
    });
  }

  // Workers accept by themselves: a connection handed from here to one that dies at that moment would hang unanswered
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const first = cluster.fork();
  const outcome = await startOf(first);
  if (stopping) return;
  if (typeof outcome === 'number') process.exit(outcome);
  announce(outcome.listening);
  replaceWhenDead(first, FIRST_PAUSE_MS);
  for (let n = 1; n < count; n += 1) replaceWhenDead(cluster.fork(), FIRST_PAUSE_MS);
}

/** What a worker says when it listens, or the code it ends with before. It has explained itself then. */
function startOf(worker: Worker): Promise<Listening | number> {
  return new Promise((resolve) => {
    worker.on('message', (message: unknown) => {
      if (isListening(message)) resolve(message);
    });
    // No code: a signal ended it
    worker.once('exit', (code: number | null) => resolve(code === null || code === 0 ? 1 : code));
  });
}

async function stop(worker: Worker): Promise<void> {
  const ended = once(worker, 'exit');
  if (worker.isConnected()) worker.send(STOP_WORKER);
  await ended;
}

function living(): readonly Worker[] {
  return Object.values(cluster.workers ?? {}).flatMap((worker) =>
    worker === undefined || worker.isDead() ? [] : worker,
  );
}

function isListening(message: unknown): message is Listening {
  return typeof message === 'object' && message !== null && 'listening' in message && Array.isArray(message.listening);
}
