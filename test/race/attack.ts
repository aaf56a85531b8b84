import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { makeTree, type TemporaryHome, temporaryHome } from '../support/tree.ts';

/** Recognised in any answer: the content outside by its words, a description of it by its size. */
const SECRET = 'SECRET'.repeat(1111);
/** A name that is only outside. */
export const CANARY = 'canary';

/** A home with what the attacker swaps, and beside it what that leads to. */
export async function prepared(): Promise<TemporaryHome> {
  const home = await temporaryHome(['dir/file: inside', 'dir/sub/inner: inside']);
  makeTree(home.outside, [`file: ${SECRET}`, `sub/inner: ${SECRET}`, `${CANARY}: x`]);
  return home;
}

/** True where an answer holds something that is only outside. */
export function tells(answer: unknown): boolean {
  const text = JSON.stringify(answer) ?? '';
  return text.includes('SECRET') || text.includes(CANARY) || text.includes(`"size":${SECRET.length}`);
}

/** Ends with its scope, however that is left. */
export interface Attacker {
  /** Lets it finish its round. */
  retreat(): Promise<void>;
  [Symbol.dispose](): void;
}

/** Lets a process loose in the home that swaps links. @param pauseMs how long it rests after every five rounds; 0: never */
export function attack(home: TemporaryHome, pauseMs = 0): Promise<Attacker> {
  return loose('attacker.mjs', home.hostPath, home.outside, `${pauseMs}`);
}

/** Lets a process loose in the home that only makes changes, as many as it can. */
export function flood(home: TemporaryHome): Promise<Attacker> {
  return loose('flooder.mjs', home.hostPath);
}

async function loose(script: string, ...args: string[]): Promise<Attacker> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'ignore', 'inherit'] });
  await once(child, 'spawn');
  return {
    async retreat() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}
