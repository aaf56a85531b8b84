import { Readable } from 'node:stream';
import { inflateRawSync } from 'node:zlib';
import * as fc from 'fast-check';
import { openExtractor } from '../../src/core/texts/extractor.ts';
import { TEXT_LIMITS } from '../../src/core/texts/texts.ts';
import { documentFormat } from '../../src/documents/formats.ts';
import { docxParts, packageOf, paragraph, pptxParts, shape, table, xlsxParts } from '../support/office.ts';
import { linesOnPage, pdfOf } from '../support/pdf.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 2);
const MAX_TEXT_BYTES = 10_000;
const LIMITS = { ...TEXT_LIMITS, maxTextBytes: MAX_TEXT_BYTES };

/** Documents whose insides are not compressed: so changes reach what reads them, not only what inflates them. */
const HONEST = {
  pdf: pdfOf([linesOnPage(['one', 'two (three)', 'Größe']), linesOnPage(['next'])]),
  docx: packageOf(docxParts(paragraph('one &amp; two') + table([['a', 'b']]), paragraph('note'))),
  xlsx: packageOf(xlsxParts([{ name: 'S', rows: '<row><c r="B1" t="s" s="1"><v>0</v></c></row>' }], ['<t>x</t>'])),
  pptx: packageOf(pptxParts([shape(['one', 'two']), shape(['three'])], shape(['notes']))),
  html: Buffer.from(
    '<html><body><h1>x</h1><table><tr><td colspan=2>y</td></tr></table><p>&amp;&#65;</p></body></html>',
  ),
} as const;

async function read(format: string, bytes: Buffer): Promise<void> {
  const extractor = openExtractor(LIMITS);
  const extraction = await extractor.extract(documentFormat(format), bytes.length, Readable.from([bytes]));
  expect(extraction.kind).not.toBe('failed');
  if (extraction.kind !== 'text') return;
  const text = inflateRawSync(extraction.deflated).toString();
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_TEXT_BYTES);
  expect(text).not.toContain('\0');
}

describe.each(Object.entries(HONEST))('a %s', (format, honest) => {
  it('that was changed anywhere is read or refused, and crashes nothing', async () => {
    const change = fc.tuple(
      fc.nat(honest.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('<>[]()/ 0'))),
    );
    const changes = fc.array(change, { minLength: 1, maxLength: 12 });
    const run = fc.asyncProperty(changes, fc.nat(honest.length), fc.boolean(), async (all, end, isCut) => {
      const given = Buffer.from(honest);
      for (const [at, byte] of all) given[at] = byte;
      await read(format, isCut ? given.subarray(0, end) : given);
    });
    await fc.assert(run, { numRuns: RUNS });
  });
});
