import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { DocumentFormat } from '../../documents/format.ts';
import { threadFile } from '../../thread-file.ts';
import { type ConfinedProcess, startConfined } from './confined-process.ts';
import { PARTIAL, UNREADABLE } from './extractor-exit.ts';
import type { TextLimits } from './text-types.ts';

/**
 * What became of a document: its text, deflated, whole or as far as time allowed; or why it has none. `failed` is no fault of
 * the document.
 */
export type Extraction =
  | { readonly kind: 'text'; readonly deflated: Buffer; readonly isWhole: boolean }
  | { readonly kind: 'none'; readonly reason: 'unreadable' | 'costly' }
  | { readonly kind: 'failed'; readonly how: string };

export interface Extractor {
  /** Reads a document of `size` bytes in a process of its own, and ends the stream of them in any case. */
  extract(format: DocumentFormat, size: number, bytes: Readable): Promise<Extraction>;
  /** Ends what is under way; whatever comes later fails. */
  close(): Promise<void>;
}

/** More than the deflating of text that cannot be compressed adds. */
const MORE_BYTES = 4096;
/** How a process ends that met its limits. */
const COSTLY: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGBUS', 'SIGILL', 'SIGSEGV', 'SIGTRAP', 'SIGXCPU']);
/** As Node says it was aborted where it is not the kernel that says so. */
const ABORTED = 134;
/** What becomes of a document when the daemon stops. */
export const CLOSED: Extraction = { kind: 'failed', how: 'the daemon stops' };

/** Reads documents, each in a process that has nothing but the document, ends with it, and can take nobody else along. */
export function openExtractor(limits: TextLimits): Extractor {
  const running = new Map<ConfinedProcess, Promise<unknown>>();
  let isClosed = false;

  return {
    async extract(format, size, bytes) {
      if (isClosed) {
        bytes.destroy();
        return CLOSED;
      }
      const child = start(format, size, limits);
      const outcome = play(child, bytes, limits);
      running.set(child, outcome);
      try {
        const extraction = await outcome;
        return isClosed ? CLOSED : extraction;
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

function start(format: DocumentFormat, size: number, limits: TextLimits): ConfinedProcess {
  const body = fileURLToPath(threadFile('extractor-process', import.meta.url));
  return startConfined([body, format.name, ...[size, limits.maxTextBytes, limits.readMs].map(String)], limits);
}

/** Feeds the process and waits for its end. */
async function play(child: ConfinedProcess, bytes: Readable, limits: TextLimits): Promise<Extraction> {
  const chunks: Buffer[] = [];
  let length = 0;
  let isOver = false;
  const end = () => {
    isOver = true;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(end, limits.timeMs);
  child.stdout.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > limits.maxTextBytes + MORE_BYTES) end();
    else chunks.push(chunk);
  });
  try {
    // A process that ends early does not take the rest; how it ended says the reason.
    const [{ code, signal, error }] = await Promise.all([
      endOf(child),
      pipeline(bytes, child.stdin).catch(() => undefined),
    ]);
    if (code === 0 || code === PARTIAL) {
      return { kind: 'text', deflated: Buffer.concat(chunks), isWhole: code === 0 };
    }
    if (code === UNREADABLE) return { kind: 'none', reason: 'unreadable' };
    const isCostly = isOver || code === ABORTED || (signal !== null && COSTLY.has(signal));
    if (isCostly) return { kind: 'none', reason: 'costly' };
    return { kind: 'failed', how: error?.message ?? `it ended with ${signal ?? code}` };
  } finally {
    clearTimeout(timer);
  }
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Where it could not even be started. */
  readonly error: Error | null;
}

function endOf(child: ConfinedProcess): Promise<End> {
  const { promise, resolve } = Promise.withResolvers<End>();
  child.once('error', (error) => resolve({ code: null, signal: null, error }));
  child.once('close', (code, signal) => resolve({ code, signal, error: null }));
  return promise;
}
