import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { TextLimits } from './text-types.ts';

export type ConfinedProcess = ChildProcessByStdio<Writable, Readable, null>;

/**
 * Limits that the kernel keeps: no core dump, no file of its own may grow, memory, and time of processors for when nobody is left
 * to end it. Where the daemon itself has to do with less, that holds.
 */
const LIMITED = 'ulimit -c 0; ulimit -f 0; ulimit -d "$1"; ulimit -t "$2"; shift 2; exec "$@"';
/** Private memory that V8 sets aside for code when it starts, on the platform where that is most. It counts, used or not. */
const RESERVED_MIB = 512;

/**
 * Starts Node on a program of ours with what comes after it, talking by pipes. It has no variable of ours, opens no file but those of
 * this package, starts no process and no thread, and makes no code of text.
 */
export function startConfined(
  program: readonly string[],
  limits: Pick<TextLimits, 'timeMs' | 'heapMiB' | 'memoryMiB'>,
): ConfinedProcess {
  const kibibytes = (RESERVED_MIB + limits.memoryMiB) * 1024;
  const seconds = Math.ceil(limits.timeMs / 1000) + 1;
  const node = [
    process.execPath,
    `--max-old-space-size=${limits.heapMiB}`,
    '--disallow-code-generation-from-strings',
    '--permission',
    ...readable().map((path) => `--allow-fs-read=${path}`),
    ...program,
  ];
  return spawn('/bin/sh', ['-c', LIMITED, 'sh', String(kibibytes), String(seconds), ...node], {
    env: {},
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

/** The program and its libraries, wherever links put them. */
function readable(): readonly string[] {
  const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const library = createRequire(import.meta.url).resolve('html-to-text');
  const libraries = library.slice(0, library.indexOf('/node_modules/') + '/node_modules/'.length);
  return [at('../../'), at('../../../package.json'), at('../../../node_modules'), libraries];
}
