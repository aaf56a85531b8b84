import { constants, deflateRawSync } from 'node:zlib';
import { docxParts, packageOf, paragraph, pptxParts, relations, shape, xlsxParts, xml } from './office.ts';
import { linesOnPage, pdfOf, rawPdf, stream } from './pdf.ts';
import { rawZip } from './raw-archive.ts';

/** A document that somebody made to do harm. */
export interface HostileDocument {
  readonly name: string;
  readonly format: string;
  readonly bytes: () => Buffer;
}

const MEBIBYTE = 1024 * 1024;

/** Deflated, so many mebibytes of one text: about a thousandth of them. */
function inflatesTo(mebibytes: number, text: string): Buffer {
  const block = Buffer.alloc(MEBIBYTE, text);
  // What ends with a full flush says the same wherever it stands.
  const repeated = deflateRawSync(block, { finishFlush: constants.Z_FULL_FLUSH });
  return Buffer.concat([...Array.from({ length: mebibytes }, () => repeated), deflateRawSync('')]);
}

function zlibbed(deflated: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x78, 0x9c]), deflated, Buffer.alloc(4)]);
}

/** A content of a page that is deflated already. */
function deflatedPdf(data: Buffer, filter = '/FlateDecode'): Buffer {
  const content = Buffer.concat([
    Buffer.from(`<< /Length ${data.length} /Filter ${filter} >>\nstream\n`),
    data,
    Buffer.from('\nendstream'),
  ]);
  return rawPdf([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Count 1 /Kids [3 0 R] >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    content,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ]);
}

const nested = (open: string, close: string, levels: number) => open.repeat(levels) + close.repeat(levels);

/** An office document with a part that inflates to so many mebibytes. */
function bombed(parts: ReturnType<typeof docxParts>, part: string, mebibytes: number, text: string): Buffer {
  const entries = Object.entries(parts).filter(([name]) => name !== part);
  return rawZip([
    ...entries.map(([name, content]) => ({ name, content })),
    { name: part, deflated: inflatesTo(mebibytes, text), claims: Math.min(mebibytes * MEBIBYTE, 2 ** 32 - 2) },
  ]);
}

const LAUGHS = Array.from({ length: 12 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join('');
const BILLION_LAUGHS = `<?xml version="1.0"?><!DOCTYPE w [<!ENTITY l0 "ha">${LAUGHS}]><w:document xmlns:w="w"><w:t>&l12;</w:t></w:document>`;
const SHEET = [{ name: 'S', rows: '<row><c t="s"><v>0</v></c></row>' }];

const PDFS: Readonly<Record<string, () => Buffer>> = {
  'a page of a gibibyte of blanks': () => deflatedPdf(zlibbed(inflatesTo(1024, ' '))),
  'a page of a gibibyte of blanks, deflated twice': () =>
    deflatedPdf(zlibbed(deflateRawSync(zlibbed(inflatesTo(1024, ' ')))), '[/FlateDecode /FlateDecode]'),
  'a page of a gibibyte of text': () => deflatedPdf(zlibbed(inflatesTo(1024, 'BT /F1 9 Tf (x) Tj ET '))),
  'a string of a gibibyte': () =>
    deflatedPdf(
      zlibbed(
        Buffer.concat([
          deflateRawSync('BT /F1 9 Tf (', { finishFlush: constants.Z_FULL_FLUSH }),
          inflatesTo(1024, 'a'),
        ]),
      ),
    ),
  'arrays nested a million deep in a page': () => pdfOf([nested('[', ']', 1_000_000)]),
  'arrays nested a million deep in its catalog': () => pdfOf(['BT ET'], [], `/X ${nested('[', ']', 1_000_000)}`),
  'dictionaries nested half a million deep': () => pdfOf(['BT ET'], [], `/X ${nested('<< /A ', '>>', 500_000)}`),
  'a tree of pages that holds itself': () =>
    rawPdf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Count 1000000000 /Kids [2 0 R 2 0 R] >>']),
  'a page that is its own content': () =>
    rawPdf([
      '<< /Type /Catalog /Pages 2 0 R >>',
      '<< /Type /Pages /Count 1 /Kids [3 0 R] >>',
      '<< /Type /Page /Parent 3 0 R /Contents 3 0 R >>',
    ]),
  'a billion pages that are not there': () =>
    rawPdf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Count 1000000000 /Kids [] >>']),
  'a form that draws itself': () => {
    const form = stream(
      'BT /F1 9 Tf (x) Tj ET /X Do /X Do',
      '/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 3 0 R >> >>',
    );
    return rawPdf([
      '<< /Type /Catalog /Pages 2 0 R >>',
      '<< /Type /Pages /Count 1 /Kids [4 0 R] >>',
      form,
      '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R /Resources << /XObject << /X 3 0 R >> >> >>',
      stream('/X Do'),
    ]);
  },
  'forms that each draw the next twice': () => {
    const forms = Array.from({ length: 30 }, (_, n) =>
      stream(
        '/X Do /X Do',
        `/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X ${n + 6} 0 R >> >>`,
      ),
    );
    return rawPdf([
      '<< /Type /Catalog /Pages 2 0 R >>',
      '<< /Type /Pages /Count 1 /Kids [3 0 R] >>',
      '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>',
      stream('/X Do'),
      ...forms,
    ]);
  },
  'an xref that follows itself': () =>
    Buffer.from(
      pdfOf(['BT ET'])
        .toString('latin1')
        .replace('/Size', `/Prev ${pdfOf(['BT ET']).lastIndexOf('xref\n0')} /Size`),
      'latin1',
    ),
  'an xref of a million rows, all wrong': () =>
    Buffer.from(
      `%PDF-1.4\nxref\n0 1000000\n${'0000000009 00000 n \n'.repeat(1_000_000)}trailer\n<< /Size 1000000 /Root 1 0 R >>\nstartxref\n9\n%%EOF`,
    ),
  'a million objects and no xref': () =>
    Buffer.from(`%PDF-1.4\n${Array.from({ length: 300_000 }, (_, n) => `${n} 0 obj << >> endobj\n`).join('')}`),
  'a range of four billion characters': () => {
    const cmap = `begincmap 1 begincodespacerange <00000000> <ffffffff> endcodespacerange 1 beginbfrange <00000000> <ffffffff> <0000> endbfrange endcmap`;
    return rawPdf([
      '<< /Type /Catalog /Pages 2 0 R >>',
      '<< /Type /Pages /Count 1 /Kids [3 0 R] >>',
      '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
      stream('BT /F1 9 Tf <0001> Tj ET'),
      '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>',
      stream(cmap),
    ]);
  },
};

const PAGES: Readonly<Record<string, () => Buffer>> = {
  'a million elements inside each other': () => Buffer.from(nested('<div>', '</div>', 1_000_000)),
  'a million lists inside each other': () => Buffer.from(nested('<ul><li>x', '</li></ul>', 500_000)),
  'quotes inside each other': () => Buffer.from('<blockquote>x'.repeat(300_000)),
  'two million brackets': () => Buffer.from('<'.repeat(2_000_000)),
  'a million comments that do not end': () => Buffer.from('<!--'.repeat(1_000_000)),
  'a tag of ten million attributes': () => Buffer.from(`<a ${'b=c '.repeat(3_000_000)}>x</a>`),
  'a cell as wide as a billion': () =>
    Buffer.from('<body><table><tr><td colspan=1000000000 rowspan=1000000000>x</td><td>y</td></tr></table>'),
  'a table of ten thousand columns that get wider': () =>
    Buffer.from(
      `<body><table>${Array.from({ length: 2000 }, (_, n) => `<tr>${'<td>x</td>'.repeat(n)}<td>${'y'.repeat(n * 10)}</td></tr>`).join('')}</table>`,
    ),
  'tables inside each other': () => Buffer.from(`<body>${'<table><tr><td>x'.repeat(300)}`),
  'eight million entities': () => Buffer.from(`<p>${'&amp;&#x10ffff;'.repeat(2_000_000)}</p>`),
  'blanks without end': () => Buffer.from(`<pre>${' \n'.repeat(8_000_000)}x</pre>`),
};

const OFFICE: Readonly<Record<string, readonly [format: string, bytes: () => Buffer]>> = {
  'a bomb in a DOCX': ['docx', () => bombed(docxParts(''), 'word/document.xml', 4000, ' ')],
  'a bomb of elements in a DOCX': ['docx', () => bombed(docxParts(''), 'word/document.xml', 2000, '<w:p>')],
  'a bomb in shared strings of an XLSX': [
    'xlsx',
    () => bombed(xlsxParts(SHEET, []), 'xl/sharedStrings.xml', 4000, '<si><t>aaaaaaaaaaaaaaaaaaaaaaaaa</t></si>'),
  ],
  'a bomb in a slide of a PPTX': [
    'pptx',
    () => bombed(pptxParts(['']), 'ppt/slides/slide1.xml', 4000, '<a:t>aaaaaaaaaaaaaaa</a:t>'),
  ],
  'a million laughs in a DOCX': ['docx', () => packageOf({ ...docxParts(''), 'word/document.xml': BILLION_LAUGHS })],
  'a DOCX whose document is the password file': [
    'docx',
    () => packageOf({ ...docxParts(''), '_rels/.rels': relations(['officeDocument', 'file:///etc/passwd']) }),
  ],
  'an entity that is a file': [
    'docx',
    () =>
      packageOf({
        ...docxParts(''),
        'word/document.xml': '<!DOCTYPE w [<!ENTITY f SYSTEM "file:///etc/passwd">]><w:t>&f;</w:t>',
      }),
  ],
  'a million elements inside each other in a DOCX': [
    'docx',
    () => packageOf(docxParts(nested('<w:p>', '</w:p>', 1_000_000))),
  ],
  'an attribute of forty megabytes': ['docx', () => packageOf(docxParts(`<w:p w:x="${'y'.repeat(40_000_000)}"/>`))],
  'a text of a hundred megabytes': ['docx', () => packageOf(docxParts(paragraph('z'.repeat(100_000_000))))],
  'ten thousand sheets that are one': [
    'xlsx',
    () => {
      const sheets = Array.from({ length: 10_000 }, (_, n) => ({ name: `s${n}`, rows: '' }));
      const parts = xlsxParts([{ name: 'x', rows: '<row><c><v>1</v></c></row>' }], []);
      return packageOf({
        ...parts,
        'xl/workbook.xml': xml(
          'workbook',
          `<sheets>${sheets.map(({ name }) => `<sheet name="${name}" r:id="r1"/>`).join('')}</sheets>`,
        ),
      });
    },
  ],
  'cells at the end of every row': [
    'xlsx',
    () => packageOf(xlsxParts([{ name: 'x', rows: '<row><c r="XFD1"><v>1</v></c></row>'.repeat(500_000) }], [])),
  ],
  'a format with a million digits': [
    'xlsx',
    () =>
      packageOf({
        ...xlsxParts([{ name: 'x', rows: '<row><c s="0"><v>1</v></c></row>' }], []),
        'xl/styles.xml': xml(
          'styleSheet',
          `<numFmts><numFmt numFmtId="200" formatCode="0.${'0'.repeat(1_000_000)}"/></numFmts><cellXfs>${'<xf numFmtId="200"/>'.repeat(50_000)}</cellXfs>`,
        ),
      }),
  ],
  'a hundred thousand slides that are one': [
    'pptx',
    () => {
      const ids = '<p:sldId r:id="r1"/>'.repeat(100_000);
      return packageOf({
        ...pptxParts([shape(['again'])]),
        'ppt/presentation.xml': xml('p:presentation', `<p:sldIdLst>${ids}</p:sldIdLst>`),
      });
    },
  ],
  'fifty thousand parts': [
    'docx',
    () =>
      packageOf(
        docxParts(paragraph('last')),
        Array.from({ length: 50_000 }, (_, n) => ({ name: `x${n}` })),
      ),
  ],
};

/** Documents that are cut off. */
const CUT: readonly HostileDocument[] = [
  ['pdf', () => pdfOf([linesOnPage(['text'])])] as const,
  ['docx', () => packageOf(docxParts(paragraph('text')))] as const,
  ['xlsx', () => packageOf(xlsxParts(SHEET, ['<t>x</t>']))] as const,
  ['pptx', () => packageOf(pptxParts([shape(['text'])]))] as const,
  ['html', () => Buffer.from('<html><body><p>text</p></body></html>')] as const,
].map(([format, whole]) => ({
  name: `half a ${format}`,
  format,
  bytes: () => whole().subarray(0, whole().length / 2),
}));

const named =
  (format: string) =>
  ([name, bytes]: readonly [string, () => Buffer]) => ({ name, format, bytes });

/** Every one there is. */
export const HOSTILE_DOCUMENTS: readonly HostileDocument[] = [
  ...CUT,
  ...Object.entries(PDFS).map(named('pdf')),
  ...Object.entries(PAGES).map(named('html')),
  ...Object.entries(OFFICE).map(([name, [format, bytes]]) => ({ name, format, bytes })),
];
