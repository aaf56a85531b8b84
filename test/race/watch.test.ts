import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TemporaryHome } from '../support/tree.ts';
import { until } from '../support/wait.ts';
import { watched } from '../support/watched.ts';
import { attack, CANARY, flood, prepared, tells } from './attack.ts';

const SECONDS = Number(process.env.RACE_SECONDS ?? 20) / 4;
const PAUSE_MS = 10;
const TRY_MS = 4000;
const TRIES = 12;
const PATIENCE_MS = 20_000;
/** A stall no busy machine makes: the plain watcher stands still for longer, the daemon's event loop never does. */
const STILL_MS = 2500;

/** True when a watcher without a guard told the name of something outside; it has a few seconds to be led there. */
async function isLedAstray(home: TemporaryHome): Promise<boolean> {
  const script = fileURLToPath(new URL('watcher.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, home.hostPath, CANARY], { stdio: ['ignore', 'pipe', 'inherit'] });
  let isAstray = false;
  child.stdout.on('data', () => {
    isAstray = true;
  });
  const enough = setTimeout(() => child.kill('SIGKILL'), TRY_MS);
  await once(child, 'close');
  clearTimeout(enough);
  return isAstray;
}

it(
  'no watcher tells of anything outside a tree in which links are swapped all the while, and a plain one does',
  async () => {
    using home = await prepared();
    const early = await watched(home);
    using attacker = await attack(home, PAUSE_MS);
    let isAstray = false;
    for (let tries = 0; tries < TRIES && !isAstray; tries++) isAstray = await isLedAstray(home);
    expect(isAstray).toBe(true);

    // Gaps and giving up are allowed answers to an attack.
    const stop = new AbortController();
    const opening = watched(home, 100, stop.signal);
    writeFileSync(home.at('amid'), 'x');
    await until(() => early.told.some(({ path }) => path === 'amid'), 'a change told amid the attack', PATIENCE_MS);
    await delay(SECONDS * 1000);
    stop.abort();
    const late = await opening;
    await attacker.retreat();
    console.info(`watched: ${JSON.stringify({ early: early.told.length, late: late.told.length })}`);
    expect([...early.told, ...late.told].filter(tells)).toEqual([]);
    await Promise.all([early.watcher.close(), late.watcher.close()]);
  },
  (SECONDS + 60) * 1000 + TRIES * TRY_MS + PATIENCE_MS,
);

/** Resolves when a process that watches a flooded tree on its own event loop has been silent for longer than that. */
async function fallsSilent(home: TemporaryHome, silentMs: number): Promise<void> {
  const script = fileURLToPath(new URL('beating.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, home.hostPath], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    let lastAt = performance.now();
    child.stdout.on('data', () => {
      lastAt = performance.now();
    });
    using _ = await flood(home);
    await until(() => performance.now() - lastAt > silentMs, 'the plain watcher standing still', PATIENCE_MS);
  } finally {
    child.kill('SIGKILL');
  }
}

it(
  'a tree flooded with changes is given up, and holds up neither the event loop nor other trees, as a plain watcher does',
  async () => {
    using home = await prepared();
    await fallsSilent(home, STILL_MS);

    using neighbour = await prepared();
    const quiet = await watched(neighbour);
    const delays = monitorEventLoopDelay({ resolution: 10 });
    delays.enable();
    using _ = await flood(home);
    // In its midst, when the watcher has not even looked at everything.
    const flooded = await watched(home);
    await until(() => flooded.overflows() === 1, 'the flooded tree given up', 4 * PATIENCE_MS);
    await until(() => quiet.gaps() > 0, 'the neighbour told of a gap', PATIENCE_MS);
    writeFileSync(neighbour.at('amid'), 'x');
    await until(
      () => quiet.last().amid === 'file' || quiet.gaps() > 1,
      'the neighbour told amid the flood',
      PATIENCE_MS,
    );
    delays.disable();
    console.info(`flooded: the event loop waited ${(delays.max / 1e6).toFixed(0)} ms at most`);
    expect(delays.max / 1e6).toBeLessThan(STILL_MS);
    expect(quiet.overflows()).toBe(0);
    await Promise.all([flooded.watcher.close(), quiet.watcher.close()]);
  },
  8 * PATIENCE_MS,
);
