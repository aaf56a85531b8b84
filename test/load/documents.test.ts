import { documentFormat } from '../../src/documents/formats.ts';
import { TextOutput } from '../../src/documents/text-output.ts';
import { HOSTILE_DOCUMENTS } from '../support/hostile-documents.ts';
import { DelayMeter, daemonsExtractor, readConfined } from './reading.ts';

/** Those that are quick to make and to end; documents.long.test.ts has all, and the strict bound. */
const QUICK = ['half a pdf', 'a page of a gibibyte of blanks', 'a bomb in a DOCX'];
/** A page that takes time and gives its text. */
const SLOW_PAGE = Buffer.from('<'.repeat(3_000_000));
/** Far above what was seen; the machine does other things meanwhile. */
const MAX_DELAY_MS = 150;

describe('the event loop', () => {
  it('goes on while hostile documents are read, and stands still where one is read in its own process', async () => {
    const hostile = HOSTILE_DOCUMENTS.filter(({ name }) => QUICK.includes(name));
    expect(hostile).toHaveLength(QUICK.length);
    const slow = { name: 'a slow page', format: 'html', bytes: () => SLOW_PAGE };
    const made = [...hostile, slow].map((document) => [document, document.bytes()] as const);
    const outcomes: string[] = [];
    await using extractor = daemonsExtractor();
    const meter = new DelayMeter();
    await meter.during(async () => {
      for (const [document, bytes] of made) outcomes.push((await readConfined(extractor, document, bytes)).outcome);
    });
    expect(outcomes).toEqual(['unreadable', 'costly', 'unreadable', 'text']);
    const control = new DelayMeter();
    await control.during(async () => {
      const read = await documentFormat('html').open();
      await read(SLOW_PAGE, new TextOutput(1e6));
    });
    expect(meter.seen.p99).toBeLessThan(MAX_DELAY_MS);
    expect(control.seen.max).toBeGreaterThan(MAX_DELAY_MS);
  });
});
