import { readFileSync } from 'node:fs';
import { createHistogram } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import type { Extraction, Extractor } from '../../src/core/texts/extractor.ts';
import { openKeptExtractor } from '../../src/core/texts/kept-extractor.ts';
import { TEXT_LIMITS } from '../../src/core/texts/texts.ts';
import { documentFormat } from '../../src/documents/formats.ts';
import type { HostileDocument } from '../support/hostile-documents.ts';

const TURN_MS = 5;

/** How long the turns of this process's event loop took, in milliseconds: 5 where nothing is late. */
export interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The delay of the event loop while some work goes on, and not between. */
export class DelayMeter {
  readonly #histogram = createHistogram();

  async during<T>(work: () => Promise<T>): Promise<T> {
    let before = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      this.#histogram.record(Math.max(1, Math.round((now - before) * 1e6)));
      before = now;
    }, TURN_MS);
    try {
      return await work();
    } finally {
      await new Promise((resolve) => setTimeout(resolve, 30));
      clearInterval(timer);
    }
  }

  get seen(): Delay {
    const ms = (nanoseconds: number) => nanoseconds / 1e6;
    const { max } = this.#histogram;
    return { p50: ms(this.#histogram.percentile(50)), p99: ms(this.#histogram.percentile(99)), max: ms(max) };
  }
}

export interface Reading {
  readonly name: string;
  readonly outcome: Extraction['kind'] | 'unreadable' | 'costly';
  readonly ms: number;
  /** The most memory that any process of this one was seen to have. */
  readonly peakMiB: number;
}

/** What reads documents as in the daemon. */
export function daemonsExtractor(): Extractor & AsyncDisposable {
  const extractor = openKeptExtractor(TEXT_LIMITS);
  return { ...extractor, [Symbol.asyncDispose]: () => extractor.close() };
}

/** Reads a document, and looks at what that takes. */
export async function readConfined(
  extractor: Extractor,
  { name, format }: HostileDocument,
  bytes: Buffer,
): Promise<Reading> {
  let peakMiB = 0;
  const timer = setInterval(() => {
    peakMiB = Math.max(peakMiB, ...descendantsMiB(process.pid));
  }, 20);
  const begin = performance.now();
  try {
    const extraction = await extractor.extract(documentFormat(format), bytes.length, Readable.from([bytes]));
    const outcome = extraction.kind === 'none' ? extraction.reason : extraction.kind;
    return { name, outcome, ms: performance.now() - begin, peakMiB };
  } finally {
    clearInterval(timer);
  }
}

function descendantsMiB(pid: number): readonly number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return children.flatMap((child) => {
      const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1] ?? 0;
      return [Number(peak) / 1024, ...descendantsMiB(Number(child))];
    });
  } catch {
    // Ended meanwhile.
    return [];
  }
}
