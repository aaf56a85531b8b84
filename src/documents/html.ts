import type { HtmlToTextOptions } from 'html-to-text';
import { FsError } from '../errors.ts';
import { decode, encodingByMark } from './encoding.ts';
import type { DocumentFormat } from './format.ts';

/** As far as a declaration is looked for, as browsers do. */
const DECLARED_WITHIN = 1024;
const DECLARATION = /<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?([\w:.-]{1,40})/iu;
/** What browsers take a page for that says nothing and is not UTF-8. */
const FALLBACK = 'windows-1252';
/** What is nested deeper is left out. */
const MAX_DEPTH = 400;

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  limits: { maxDepth: MAX_DEPTH, maxInputLength: Number.MAX_SAFE_INTEGER },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    ...['img', 'title'].map((selector) => ({ selector, format: 'skip' })),
    { selector: 'table', format: 'dataTable', options: { uppercaseHeaderCells: false, maxColumnWidth: 0 } },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
  ],
};

/** What a browser would show of a page, without its scripts and styles: nothing of it is run, and nothing it names is fetched. */
export const HTML: DocumentFormat = {
  name: 'html',
  mediaTypes: ['text/html', 'application/xhtml+xml'],
  isPlain: false,

  async open() {
    const { convert } = await import('html-to-text');
    return (bytes, output) => {
      const page = decodePage(bytes);
      if (page.includes('\0')) throw new FsError('unsupported', 'the file has NUL in it, so it is no page');
      output.write(convert(page, OPTIONS));
    };
  },
};

function decodePage(bytes: Uint8Array): string {
  const marked = encodingByMark(bytes);
  if (marked !== null) return decode(bytes, marked);
  try {
    return decode(bytes, 'utf-8');
  } catch {
    // Not UTF-8: then what it says of itself counts.
  }
  const head = Buffer.from(bytes.subarray(0, DECLARED_WITHIN)).toString('latin1');
  return new TextDecoder(DECLARATION.exec(head)?.[1] ?? FALLBACK).decode(bytes);
}
