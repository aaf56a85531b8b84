import cluster from 'node:cluster';
import closeWithGrace from 'close-with-grace';
import type { Log } from '../../log.ts';

/** How long requests in flight may take to finish once the process is told to stop. */
export const GRACE_MS = 25_000;

/** What a primary sends to a worker that is to finish and end. */
export const STOP_WORKER = 'workspaced: stop';

const STOP_SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;
// After most of these no handler is safe to run, and the others are for tools: what Node does by itself is right
const LEFT_TO_NODE = [
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGSEGV',
  'SIGUSR2',
  'beforeExit',
] as const;

/**
 * On SIGTERM, SIGINT or SIGHUP: `close`, then exit with 0; with 1 where it fails or takes longer than the grace. An
 * error nobody caught is logged and ends the process the same way, with 1. A second signal ends it at once.
 */
export function untilToldToStop(close: () => Promise<void>, log: Log, graceMs: number = GRACE_MS): void {
  const hooks = {
    delay: graceMs,
    logger: false as const,
    onSecondSignal: () => log.warn('told to stop again: ending at once'),
    onSecondError: (error: unknown) => log.fatal({ err: error }, 'another error while stopping: ending at once'),
    onTimeout: () => log.error(`not everything finished within ${graceMs / 1000} s: ending now`),
  };
  const finish = async ({ err, signal }: { err?: Error; signal?: string }) => {
    if (err === undefined) log.info({ signal }, 'stopping');
    else log.fatal({ err }, 'an error nobody expected: stopping');
    await close().catch((error: unknown) => {
      log.error({ err: error }, 'could not stop in good order');
      throw error;
    });
  };
  if (!cluster.isWorker) closeWithGrace({ ...hooks, skip: [...LEFT_TO_NODE] }, finish);
  else stopWithPrimary(closeWithGrace({ ...hooks, skip: [...LEFT_TO_NODE, ...STOP_SIGNALS] }, finish).close);
}

/**
 * A worker is told to stop by its primary, and often by the same signal as well: Ctrl-C and service managers signal the
 * whole group. Whichever comes first begins, and the other is not a second signal.
 */
function stopWithPrimary(begin: () => void): void {
  let begun = false;
  const beginOnce = () => {
    if (begun) return;
    begun = true;
    begin();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, beginOnce);
  process.on('message', (message) => {
    if (message === STOP_WORKER) beginOnce();
  });
}
