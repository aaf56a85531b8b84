import { TEXT_LIMITS } from '../../src/core/texts/texts.ts';
import { documentFormat } from '../../src/documents/formats.ts';
import { TextOutput } from '../../src/documents/text-output.ts';
import { HOSTILE_DOCUMENTS, type HostileDocument } from '../support/hostile-documents.ts';
import { linesOnPage, pdfOf } from '../support/pdf.ts';
import { type Delay, DelayMeter, daemonsExtractor, type Reading, readConfined } from './reading.ts';

const MEBIBYTE = 1024 * 1024;
/** Beyond what the machine itself does to a loop that has nothing to do. */
const MAX_DELAY_MS = 50;
const NOISE_MS = 5000;
/** A process is ended by a signal, and begins while others have the machine. */
const GRACE_MS = 2000;
/** What Node has of its own: its program, its libraries, and what is shared with others like it. */
const NODE_MIB = 100;

const lines = (page: number) =>
  Array.from({ length: 45 }, (_, n) => `Page ${page}, line ${n}, with words of ordinary length up to its end.`);
const pages = (count: number, linesOf: (page: number) => readonly string[] = lines): HostileDocument => ({
  name: `${count} pages`,
  format: 'pdf',
  bytes: () => pdfOf(Array.from({ length: count }, (_, page) => linesOnPage(linesOf(page)))),
});

function show(what: string, { p50, p99, max }: Delay): void {
  const shown = [p50, p99, max].map((ms) => `${ms.toFixed(1)} ms`);
  process.stdout.write(`event loop delay, ${what}: p50 ${shown[0]}, p99 ${shown[1]}, max ${shown[2]}\n`);
}

function showReading({ name, outcome, ms, peakMiB }: Reading): void {
  process.stdout.write(`${name.padEnd(52)} ${outcome.padEnd(10)} ${Math.round(ms)} ms, ${Math.round(peakMiB)} MiB\n`);
}

describe('hostile documents', () => {
  it('cost their limits at most, and the event loop nothing', async () => {
    const noise = new DelayMeter();
    await noise.during(() => new Promise((resolve) => setTimeout(resolve, NOISE_MS)));
    show('nothing read', noise.seen);
    await using extractor = daemonsExtractor();
    const meter = new DelayMeter();
    const idle = process.memoryUsage().rss;
    let grown = 0;
    for (const document of [...HOSTILE_DOCUMENTS, pages(5000), pages(5000, (page) => [`page ${page}`])]) {
      const bytes = document.bytes();
      const before = process.memoryUsage().rss;
      const reading = await meter.during(() => readConfined(extractor, document, bytes));
      grown = Math.max(grown, process.memoryUsage().rss - before);
      const { outcome, ms, peakMiB } = reading;
      showReading({ ...reading, name: `${document.format}: ${document.name}` });
      expect(outcome).not.toBe('failed');
      expect(ms).toBeLessThan(TEXT_LIMITS.timeMs + GRACE_MS);
      expect(peakMiB).toBeLessThan(TEXT_LIMITS.memoryMiB + NODE_MIB);
    }
    show('all documents', meter.seen);
    process.stdout.write(
      `memory of this process: ${Math.round(grown / MEBIBYTE)} MiB more at most during one document, `,
    );
    process.stdout.write(
      `${Math.round((process.memoryUsage().rss - idle) / MEBIBYTE)} MiB more at the end, documents included\n`,
    );
    expect(meter.seen.p99).toBeLessThan(MAX_DELAY_MS + noise.seen.p99);
  }, 600_000);

  it('stop everything where they are read in the daemon’s own process', async () => {
    const [document = fail()] = HOSTILE_DOCUMENTS.filter(({ name }) => name === 'two million brackets');
    const bytes = document.bytes();
    const control = new DelayMeter();
    await control.during(async () => {
      const read = await documentFormat(document.format).open();
      await read(bytes, new TextOutput(MEBIBYTE));
    });
    show('one of them in this process', control.seen);
    expect(control.seen.max).toBeGreaterThan(MAX_DELAY_MS);
  });

  it('and honest ones take their time: a hundred pages', async () => {
    await using extractor = daemonsExtractor();
    const document = pages(100);
    const reading = await readConfined(extractor, document, document.bytes());
    showReading(reading);
    expect(reading.outcome).toBe('text');
  });
});

function fail(): never {
  throw new Error('nothing was read');
}
