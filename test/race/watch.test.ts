import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type DiskChange, type TreeWatcher, watchTree } from '../../src/tree/watch.ts';
import type { TemporaryHome } from '../support/tree.ts';
import { until } from '../support/wait.ts';
import { attack, CANARY, prepared, tells } from './attack.ts';

const SECONDS = Number(process.env.RACE_SECONDS ?? 20) / 4;
const PAUSE_MS = 10;
const TRY_MS = 4000;
const TRIES = 12;
const PATIENCE_MS = 20_000;

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

interface Witness {
  readonly told: DiskChange[];
  readonly watcher: Promise<TreeWatcher>;
}

function witness(home: TemporaryHome): Witness {
  const told: DiskChange[] = [];
  const watcher = watchTree(home, {
    maxDirs: 1000,
    onChange: (changes) => void told.push(...changes),
    // Gaps and giving up are allowed answers to an attack.
    onGap: () => undefined,
    onOverflow: () => undefined,
  });
  return { told, watcher };
}

it(
  'no watcher tells of anything outside a tree in which links are swapped all the while, and a plain one does',
  async () => {
    using home = await prepared();
    const early = witness(home);
    await early.watcher;
    using attacker = await attack(home, PAUSE_MS);
    let isAstray = false;
    for (let tries = 0; tries < TRIES && !isAstray; tries++) isAstray = await isLedAstray(home);
    expect(isAstray).toBe(true);

    const late = witness(home);
    writeFileSync(home.at('amid'), 'x');
    await until(() => early.told.some(({ path }) => path === 'amid'), 'a change told amid the attack', PATIENCE_MS);
    await delay(SECONDS * 1000);
    await attacker.retreat();
    console.info(`watched: ${JSON.stringify({ early: early.told.length, late: late.told.length })}`);
    expect([...early.told, ...late.told].filter(tells)).toEqual([]);
    await Promise.race([
      Promise.all([early, late].map(async ({ watcher }) => (await watcher).close())),
      delay(PATIENCE_MS, undefined, { ref: false }),
    ]);
  },
  (SECONDS + 60) * 1000 + TRIES * TRY_MS + 2 * PATIENCE_MS,
);
