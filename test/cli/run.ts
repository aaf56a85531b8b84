import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../src/cli/command.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `workspaced …` with these settings and no others, in this process; process.test.ts runs the binary. */
export async function workspaced(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const output = { print: (text: string) => stdout.push(text), remark: (text: string) => stderr.push(text) };
  const code = await runCommand(['node', 'workspaced', ...args], env, output);
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

/** A data root that is gone after `use`. */
export async function withDataDir<T>(use: (dataDir: string) => Promise<T>): Promise<T> {
  const home = await mkdtemp(join(tmpdir(), 'workspaced-cli-'));
  try {
    return await use(join(home, 'root'));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
