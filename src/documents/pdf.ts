import { FsError } from '../errors.ts';
import type { DocumentFormat } from './format.ts';
import type { TextOutput } from './text-output.ts';

/** Pages that cannot be read are passed over, up to so many: a tree of pages may promise billions. */
const MAX_BAD_PAGES = 32;

/** Nothing but text is looked at: no font is drawn, no image decoded, no script run, and nothing fetched from anywhere. */
const OPTIONS = {
  verbosity: 0,
  disableFontFace: true,
  useSystemFonts: false,
  useWorkerFetch: false,
  useWasm: false,
  isOffscreenCanvasSupported: false,
  isImageDecoderSupported: false,
} as const;

/** Pages in their order with a blank line between them, the lines of each as they follow one another in the file. */
export const PDF: DocumentFormat = {
  name: 'pdf',
  mediaTypes: ['application/pdf'],
  isPlain: false,

  async open() {
    const { getDocumentProxy, resolvePDFJSImport } = await import('unpdf');
    await resolvePDFJSImport();
    return async (bytes, output) => read(await getDocumentProxy(bytes, OPTIONS), output);
  },
};

type Pdf = Awaited<ReturnType<typeof import('unpdf').getDocumentProxy>>;

async function read(pdf: Pdf, output: TextOutput): Promise<void> {
  let bad = 0;
  for (let number = 1; number <= pdf.numPages && !output.isFull; number += 1) {
    try {
      await readPage(pdf, number, output);
    } catch (error) {
      bad += 1;
      if (bad < MAX_BAD_PAGES) continue;
      throw new FsError('unsupported', `${bad} pages of the document cannot be read`, {}, error);
    }
  }
  if (bad > 0 && output.isEmpty) throw new FsError('unsupported', 'no page of the document can be read');
}

async function readPage(pdf: Pdf, number: number, output: TextOutput): Promise<void> {
  const page = await pdf.getPage(number);
  if (!output.isEmpty) output.write('\n\n');
  // In pieces, as a page can be as large as a document; to be left, not cancelled: PDF.js fails where nobody can catch it.
  for await (const { items } of page.streamTextContent().values({ preventCancel: true })) {
    for (const item of items) if ('str' in item) output.write(item.hasEOL ? `${item.str}\n` : item.str);
    if (output.isFull) return;
  }
  page.cleanup();
}
