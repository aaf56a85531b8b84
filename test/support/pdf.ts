import { deflateSync } from 'node:zlib';

/** A stream object of a PDF; deflated unless it is said to be something else. */
export function stream(content: string | Buffer, entries = ''): Buffer {
  const data = deflateSync(content);
  return Buffer.concat([
    Buffer.from(`<< /Length ${data.length} /Filter /FlateDecode ${entries} >>\nstream\n`),
    data,
    Buffer.from('\nendstream'),
  ]);
}

/** A PDF of these objects, numbered from 1; the first is its catalog. */
export function rawPdf(objects: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from('%PDF-1.7\n')];
  const offsets: number[] = [];
  let at = parts[0]?.length ?? 0;
  for (const [index, body] of objects.entries()) {
    const part = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), Buffer.from(body), Buffer.from('\nendobj\n')]);
    offsets.push(at);
    at += part.length;
    parts.push(part);
  }
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`);
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows.join('')}`;
  const trailer = `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${at}\n%%EOF\n`;
  return Buffer.concat([...parts, Buffer.from(table + trailer)]);
}

/** Every code is the character of that number: no font file, only what a font says its codes mean. */
const TO_UNICODE = `/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def
1 begincodespacerange <0000> <ffff> endcodespacerange
1 beginbfrange <0000> <ffff> <0000> endbfrange endcmap end end`;

const FONTS: readonly (string | Buffer)[] = [
  '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
  '<< /Type /Font /Subtype /Type0 /BaseFont /Any /Encoding /Identity-H /DescendantFonts [5 0 R] /ToUnicode 6 0 R >>',
  '<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Any /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) ' +
    '/Supplement 0 >> /DW 1000 /FontDescriptor 7 0 R >>',
  stream(TO_UNICODE),
  '<< /Type /FontDescriptor /FontName /Any /Flags 4 /FontBBox [0 0 1000 1000] /Ascent 800 /Descent -200 ' +
    '/CapHeight 700 /ItalicAngle 0 /StemV 80 >>',
];
const FIRST_PAGE = 3 + FONTS.length;

/** A PDF with these contents of pages, which may use the font /F1 of Latin text and /F2 of any. Further objects follow. */
export function pdfOf(contents: readonly (string | Buffer)[], more: readonly string[] = [], catalog = ''): Buffer {
  const numbers = contents.map((_, index) => FIRST_PAGE + 2 * index);
  const pages = contents.flatMap((content, index) => [
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${FIRST_PAGE + 2 * index + 1} 0 R ` +
      '/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>',
    stream(content),
  ]);
  return rawPdf([
    `<< /Type /Catalog /Pages 2 0 R ${catalog} >>`,
    `<< /Type /Pages /Count ${contents.length} /Kids [${numbers.map((n) => `${n} 0 R`).join(' ')}] >>`,
    ...FONTS,
    ...pages,
    ...more,
  ]);
}

/** The content of a page with these lines, each in the font that can show it. */
export function linesOnPage(lines: readonly string[]): string {
  const shown = lines.map((line, index) => {
    const isLatin = /^[\x20-\x7e]*$/.test(line);
    const text = isLatin ? `(${line.replaceAll(/[\\()]/g, '\\$&')})` : `<${utf16(line)}>`;
    return `/F${isLatin ? 1 : 2} 11 Tf ${index === 0 ? '72 740' : '0 -14'} Td ${text} Tj`;
  });
  return `BT ${shown.join('\n')} ET`;
}

function utf16(text: string): string {
  return Buffer.from(text, 'utf16le').swap16().toString('hex');
}
