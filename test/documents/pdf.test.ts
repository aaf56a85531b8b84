import { linesOnPage, pdfOf } from '../support/pdf.ts';
import { textOf } from './reading.ts';

const backwards = (text: string) => [...text].reverse().join('');

describe('a PDF', () => {
  it('has its pages in order with a blank line between them', async () => {
    const pages = Array.from({ length: 12 }, (_, n) => linesOnPage([`page ${n + 1}`, 'next line']));
    const shown = pages.map((_, n) => `page ${n + 1}\nnext line`);
    expect(await textOf('pdf', pdfOf(pages))).toBe(shown.join('\n\n'));
  });

  it('has text from right to left as it is read, and ligatures as their letters', async () => {
    const lines = ['שלום', 'مرحبا'];
    expect(await textOf('pdf', pdfOf([linesOnPage([...lines.map(backwards), 'ﬁne oﬀer'])]))).toBe(
      [...lines, 'fine offer'].join('\n'),
    );
  });

  it('has words that are moved apart as words', async () => {
    const content = 'BT /F1 12 Tf 72 700 Td [(one) -2000 (two)] TJ 200 0 Td (three) Tj ET';
    expect(await textOf('pdf', pdfOf([content]))).toBe('one two three');
  });

  it('has what comes before a page that cannot be read, and what comes after', async () => {
    const whole = pdfOf(['first', 'lost', 'third'].map((word) => linesOnPage([word])));
    const kids = /\/Kids \[(\d+ 0 R) (\d+ 0 R) (\d+ 0 R)\]/;
    const damaged = whole
      .toString('latin1')
      .replace(kids, (all, _first, second: string) => all.replace(second, '1 0 R'));
    expect(await textOf('pdf', Buffer.from(damaged, 'latin1'))).toMatch(/^first\s+third$/);
  });
});
