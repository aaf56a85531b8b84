import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { temporaryHome } from '../support/tree.ts';
import { until } from '../support/wait.ts';
import { watched } from '../support/watched.ts';

const { jest } = import.meta;
const LONGER_THAN_PATIENCE_MS = 60_000;
const REAL_TIMERS = [
  'setTimeout',
  'clearTimeout',
  'setImmediate',
  'performance',
  'Date',
  'nextTick',
  'hrtime',
] as const;

describe('the thread that watches', () => {
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('serves all trees, and ends with the last', async () => {
    const posted = jest.spyOn(Worker.prototype, 'postMessage');
    using home = await temporaryHome();
    const [a, b] = [await watched(home), await watched(home)];
    const threads = new Set(posted.mock.contexts);
    expect(threads.size).toBe(1);
    await a.watcher.close();
    writeFileSync(home.at('f'), 'x');
    await until(() => b.last().f === 'file');
    const ended = Promise.all([...threads].map((thread) => once(thread, 'exit')));
    await b.watcher.close();
    await ended;
    expect(a.overflows() + b.overflows()).toBe(0);
  });

  it('does not keep a process alive', async () => {
    using home = await temporaryHome();
    const script = `
      const { openLease } = await import(${JSON.stringify(new URL('../../src/tree/watch-thread.ts', import.meta.url))});
      const waits = setTimeout(() => undefined, 600_000);
      const onReady = () => clearTimeout(waits) ?? console.log('watched');
      openLease(${JSON.stringify(home.hostPath)}, { onReady, onHints() {}, onGap() {}, onLost() {} });
    `;
    const child = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 25_000 });
    expect((await child).stdout).toBe('watched\n');
  });

  it('loses all trees when it dies, and is begun afresh for the next', async () => {
    const posted = jest.spyOn(Worker.prototype, 'postMessage');
    using home = await temporaryHome();
    const [a, b] = [await watched(home), await watched(home)];
    for (const thread of new Set(posted.mock.contexts)) await thread.terminate();
    await until(() => a.overflows() === 1 && b.overflows() === 1);
    expect(a.watcher.directories).toBe(0);
    const next = await watched(home);
    writeFileSync(home.at('f'), 'x');
    await until(() => next.last().f === 'file');
    expect(a.told).toEqual([]);
    await Promise.all([a, b, next].map(({ watcher }) => watcher.close()));
  });

  it('is ended when it does not answer for a while', async () => {
    jest.useFakeTimers({ doNotFake: [...REAL_TIMERS] });
    using home = await temporaryHome();
    const { overflows, watcher } = await watched(home);
    const posted = jest.spyOn(Worker.prototype, 'postMessage');
    // Answers would come through the event loop, and are not waited for.
    jest.advanceTimersByTime(LONGER_THAN_PATIENCE_MS);
    expect(overflows()).toBe(1);
    expect(posted).toHaveBeenCalledWith({ kind: 'ping' });
    await watcher.close();
  });
});
