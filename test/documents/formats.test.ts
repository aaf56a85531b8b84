import { DOCUMENT_FORMATS, formatOfType } from '../../src/documents/formats.ts';
import { docxParts, packageOf, paragraph, pptxParts, shape, xlsxParts } from '../support/office.ts';
import { linesOnPage, pdfOf } from '../support/pdf.ts';
import { textOf } from './reading.ts';

const row = (text: string) => `<row><c t="inlineStr"><is><t>${text}</t></is></c></row>`;

/** What is below the end of a page is not shown. */
function pagesOf(lines: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(lines.length / 50) }, (_, n) => lines.slice(n * 50, n * 50 + 50));
}

/** For each format how lines become a document of it. */
const WRITERS: Readonly<Record<string, (lines: readonly string[]) => Buffer>> = {
  plain: (lines) => Buffer.from(lines.join('\n')),
  html: (lines) => Buffer.from(`<!doctype html>${lines.map((line) => `<p>${line}</p>`).join('')}`),
  pdf: (lines) => pdfOf(pagesOf(lines).map(linesOnPage)),
  docx: (lines) => packageOf(docxParts(lines.map(paragraph).join(''))),
  xlsx: (lines) => packageOf(xlsxParts([{ name: 'Sheet', rows: lines.map(row).join('') }], [])),
  pptx: (lines) => packageOf(pptxParts([shape(lines)])),
};
/** Of many alphabets, and none that PDF would keep from right to left: see pdf.test.ts. */
const LINES = ['Plain words', 'Größe, naïve, Łódź', 'Ελληνικά и русский', '日本語と中文', '한국어'];

it('every format can be written here', () => {
  expect(Object.keys(WRITERS).sort()).toEqual(DOCUMENT_FORMATS.map(({ name }) => name).sort());
});

it('media types belong to one format each, whatever their parameters and case', () => {
  const types = DOCUMENT_FORMATS.flatMap(({ mediaTypes }) => mediaTypes);
  expect(new Set(types).size).toBe(types.length);
  expect(formatOfType('Text/HTML; charset=utf-8')?.name).toBe('html');
  expect(formatOfType('application/zip')).toBeNull();
});

describe.each(DOCUMENT_FORMATS.map((format) => [format.name, format] as const))('the format %s', (name, format) => {
  const write = (lines: readonly string[]) => WRITERS[name]?.(lines) ?? Buffer.alloc(0);

  it('gives the lines of any alphabet in their order', async () => {
    const text = await textOf(format, write(LINES));
    const found = text.split('\n').filter((line) => LINES.includes(line));
    expect(found).toEqual(LINES);
  });

  it('ends at the limit, with a whole character', async () => {
    const long = write(Array.from({ length: 500 }, () => 'ÄÖÜäöü'));
    for (const limit of [1, 64, 65, 1000, 1001]) {
      const text = await textOf(format, long, limit);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limit);
      expect(Buffer.byteLength(text)).toBeGreaterThan(limit - 2);
      expect(text).not.toContain('\ufffd');
    }
  });

  it('refuses what is none, or gives what a reader would see', async () => {
    const whole = write(LINES);
    const noise = Buffer.from(Array.from({ length: 3000 }, (_, n) => (n * 7919 + (n >> 3)) % 256));
    for (const bytes of [Buffer.from([0]), noise, whole.subarray(0, whole.length / 2), Buffer.concat([noise, whole])]) {
      const outcome = await textOf(format, bytes).catch((error: unknown) => error);
      if (typeof outcome === 'string') expect(outcome).not.toContain('\0');
      else expect(outcome).toBeInstanceOf(Error);
    }
  });
});
