import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import type { Extraction } from '../../src/core/texts/extractor.ts';
import { openKeptExtractor } from '../../src/core/texts/kept-extractor.ts';
import { TEXT_LIMITS } from '../../src/core/texts/texts.ts';
import { documentFormat } from '../../src/documents/formats.ts';
import type { HostileDocument } from '../support/hostile-documents.ts';

/** How late this process's event loop was, in milliseconds. */
export interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The delay of the event loop while some work goes on, and not between. */
export class DelayMeter {
  readonly #histogram = monitorEventLoopDelay({ resolution: 5 });

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#histogram.enable();
    try {
      // The first turns begin the measure: without them the first stop would not be seen.
      await new Promise((resolve) => setTimeout(resolve, 30));
      return await work();
    } finally {
      await new Promise((resolve) => setTimeout(resolve, 30));
      this.#histogram.disable();
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

/** Reads a document as the daemon does, and looks at what that takes. */
export async function readConfined({ name, format }: HostileDocument, bytes: Buffer): Promise<Reading> {
  const extractor = openKeptExtractor(TEXT_LIMITS);
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
    await extractor.close();
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
