import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { DocumentFormat } from '../../documents/format.ts';
import { threadFile } from '../../thread-file.ts';
import { PARTIAL, UNREADABLE } from './extractor-exit.ts';
import type { TextLimits } from './text-types.ts';

/** What became of a document: its text, deflated, whole or as far as time allowed; or why it has none. `failed` is no fault of the document. */
export type Extraction =
  | { readonly kind: 'text'; readonly deflated: Buffer; readonly isWhole: boolean }
  | { readonly kind: 'none'; readonly reason: 'unreadable' | 'costly' }
  | { readonly kind: 'failed'; readonly code: number | null; readonly signal: NodeJS.Signals | null };

export interface Extractor {
  /** Reads a document of `size` bytes in a process of its own. @throws what starting a process may fail with */
  extract(format: DocumentFormat, size: number, bytes: Readable): Promise<Extraction>;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** Limits that the kernel keeps: no core dumps, no file may grow, memory, and time of processors in case nobody is left to end it. */
const LIMITED = 'ulimit -c 0; ulimit -f 0; ulimit -d "$1"; ulimit -t "$2"; shift 2; exec "$@"';
/** Private memory that V8 sets aside for code when it starts, on the platform where that is most. It counts, used or not. */
const RESERVED_MIB = 512;
/** More than the deflating of text that cannot be compressed adds. */
const MORE_BYTES = 4096;
/** How a process ends that met its limits. */
const COSTLY: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGBUS', 'SIGILL', 'SIGSEGV', 'SIGTRAP', 'SIGXCPU']);
const COSTLY_CODE = 134;

/** Reads documents, each in a process that has nothing but the document, ends with it, and can take nobody else along. */
export function openExtractor(limits: TextLimits): Extractor {
  const running = new Map<ChildProcess, Promise<unknown>>();
  let isClosed = false;

  return {
    async extract(format, size, bytes) {
      const child = start(format, size, limits);
      const outcome = play(child, bytes, limits);
      running.set(child, outcome);
      try {
        const extraction = await outcome;
        return isClosed ? { kind: 'failed', code: null, signal: 'SIGKILL' } : extraction;
      } finally {
        running.delete(child);
      }
    },

    async close() {
      isClosed = true;
      for (const child of running.keys()) child.kill('SIGKILL');
      await Promise.allSettled(running.values());
    },
  };
}

function start(format: DocumentFormat, size: number, limits: TextLimits): ChildProcess {
  const kibibytes = (RESERVED_MIB + limits.memoryMiB) * 1024;
  const seconds = Math.ceil(limits.timeMs / 1000) + 1;
  const node = [
    process.execPath,
    `--max-old-space-size=${limits.heapMiB}`,
    '--permission',
    ...readable().map((path) => `--allow-fs-read=${path}`),
    fileURLToPath(threadFile('extractor-process', import.meta.url)),
    ...[format.name, String(size), String(limits.maxTextBytes), String(limits.timeMs)],
  ];
  return spawn('/bin/sh', ['-c', LIMITED, 'sh', String(kibibytes), String(seconds), ...node], {
    // No variable of the environment is its business, and no file beside its own.
    env: {},
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

/** Feeds the process and waits for its end. Ends the stream of bytes too. */
async function play(child: ChildProcess, bytes: Readable, limits: TextLimits): Promise<Extraction> {
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('a process was started without pipes');
  const chunks: Buffer[] = [];
  let length = 0;
  let isOver = false;
  const end = () => {
    isOver = true;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(end, limits.timeMs);
  stdout.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > limits.maxTextBytes + MORE_BYTES) end();
    else chunks.push(chunk);
  });
  try {
    const ended = endOf(child);
    // A process that ended early does not take the rest; how it ended says the reason.
    await Promise.all([ended, pipeline(bytes, stdin).catch(() => undefined)]);
    const { code, signal } = await ended;
    if (code === 0 || code === PARTIAL) return { kind: 'text', deflated: Buffer.concat(chunks), isWhole: code === 0 };
    if (code === UNREADABLE) return { kind: 'none', reason: 'unreadable' };
    const isCostly = isOver || code === COSTLY_CODE || (signal !== null && COSTLY.has(signal));
    return isCostly ? { kind: 'none', reason: 'costly' } : { kind: 'failed', code, signal };
  } finally {
    clearTimeout(timer);
  }
}

function endOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>();
  child.once('error', reject);
  child.once('close', (code, signal) => resolve({ code, signal }));
  return promise;
}

/** All that a process may read of the disk: this program and its libraries, wherever links put them. */
function readable(): readonly string[] {
  const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const library = createRequire(import.meta.url).resolve('html-to-text');
  const libraries = library.slice(0, library.indexOf('/node_modules/') + '/node_modules/'.length);
  return [at('../../'), at('../../../package.json'), at('../../../node_modules'), libraries];
}
