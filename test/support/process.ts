import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import jsonwebtoken from 'jsonwebtoken';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const START_TIMEOUT_MS = 20_000;

/** The secret of every daemon that tests start, so that a token outlives a restart. */
export const TEST_SECRET = 'a secret for tests only: 0123456789abcdef';

export interface Claims {
  readonly tenant: string;
  readonly sub?: string;
  readonly agent?: string;
  readonly user?: string;
  readonly scope?: string;
}

/** A bearer token that a test daemon takes; good for an hour. */
export function token(claims: Claims): string {
  return jsonwebtoken.sign({ sub: 'test', ...claims }, TEST_SECRET, { algorithm: 'HS256', expiresIn: '1h' });
}

/** The daemon as a process of its own, as operators run it: it can be killed at any moment and started again. */
export interface DaemonProcess {
  readonly url: string;
  readonly pid: number;
  /** Everything it has printed, for the message of a failing test. */
  output(): string;
  /** SIGKILL to this process and its workers, and waits until they are gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
}

/**
 * Starts it on a free port and waits for the listening line.
 * @param under a command that it runs under, such as `prlimit --nofile=64`; `pid` is then that command's
 */
export async function startProcess(
  dataDir: string,
  env: Record<string, string> = {},
  under: readonly string[] = [],
): Promise<DaemonProcess> {
  const [command = process.execPath, ...args] = [...under, process.execPath, MAIN];
  const child = spawn(command, args, {
    env: {
      PATH: process.env.PATH ?? '',
      DATA_DIR: dataDir,
      PORT: '0',
      JWT_SECRET: TEST_SECRET,
      LOG_LEVEL: 'warn',
      DISK_RESERVE_BYTES: '0',
      NODE_ENV: 'production',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => printed.push(chunk.toString()));
  const url = await listeningUrl(child, printed);
  const exited = once(child, 'exit');
  return {
    url,
    pid: child.pid ?? 0,
    output: () => printed.join(''),
    kill: async () => {
      const workers = await childrenOf(child.pid ?? 0);
      child.kill('SIGKILL');
      for (const pid of workers) killQuietly(pid);
      await exited;
      await gone(workers);
    },
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code as number | null;
    },
  };
}

function listeningUrl(child: ChildProcess, printed: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the daemon did not listen within ${START_TIMEOUT_MS} ms:\n${printed.join('')}`));
    }, START_TIMEOUT_MS);
    child.once('exit', (code) => reject(new Error(`the daemon ended with ${code}:\n${printed.join('')}`)));
    if (child.stdout === null) return;
    createInterface(child.stdout).on('line', (line) => {
      printed.push(`${line}\n`);
      const url = /listening on (http:\/\/\S+)/.exec(line)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}

/** The direct children of a process: a daemon's workers. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it went with its parent
  }
}

async function gone(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resident memory of a process in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
}

/** Every regular file below a directory, as paths relative to it. */
export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
