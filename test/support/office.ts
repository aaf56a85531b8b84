import { type RawEntry, rawZip } from './raw-archive.ts';

const RELATIONS = 'http://schemas.openxmlformats.org/package/2006/relationships';
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const NAMES = {
  w: 'http://schemas.openxmlformats.org/wordprocessingml/2006/main',
  a: 'http://schemas.openxmlformats.org/drawingml/2006/main',
  p: 'http://schemas.openxmlformats.org/presentationml/2006/main',
  r: OFFICE,
  mc: 'http://schemas.openxmlformats.org/markup-compatibility/2006',
};
const XMLNS = Object.entries(NAMES).map(([prefix, name]) => `xmlns:${prefix}="${name}"`);
const DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';

/** Parts by their names. */
export type Parts = Readonly<Record<string, string | Buffer>>;

/** The zip of these parts, in their order, with what only makes them bigger or odd. */
export function packageOf(parts: Parts, more: readonly RawEntry[] = []): Buffer {
  return rawZip([...Object.entries(parts).map(([name, content]) => ({ name, content })), ...more]);
}

export function xml(root: string, content: string, attributes = ''): string {
  return `${DECLARATION}<${root} ${XMLNS.join(' ')} ${attributes}>${content}</${root}>`;
}

/** Relations r1, r2, …, as [kind, target]. */
export function relations(...all: readonly (readonly [kind: string, target: string])[]): string {
  const each = all.map(
    ([kind, target], n) => `<Relationship Id="r${n + 1}" Type="${OFFICE}/${kind}" Target="${target}"/>`,
  );
  return `${DECLARATION}<Relationships xmlns="${RELATIONS}">${each.join('')}</Relationships>`;
}

const CONTENT_TYPES = `${DECLARATION}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>`;
const TYPE = 'application/vnd.openxmlformats-officedocument';

function contentTypes(main: string, type: string): string {
  return `${CONTENT_TYPES}<Override PartName="/${main}" ContentType="${TYPE}.${type}+xml"/></Types>`;
}

/** The parts of a DOCX with this body, in WordprocessingML. */
export function docxParts(body: string, notes = ''): Parts {
  return {
    '[Content_Types].xml': contentTypes('word/document.xml', 'wordprocessingml.document.main'),
    '_rels/.rels': relations(['officeDocument', 'word/document.xml']),
    'word/_rels/document.xml.rels': relations(['footnotes', 'footnotes.xml']),
    'word/document.xml': xml('w:document', `<w:body>${body}</w:body>`),
    'word/footnotes.xml': xml('w:footnotes', notes),
  };
}

export function paragraph(text: string): string {
  return `<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:r><w:t xml:space="preserve">${text}</w:t></w:r></w:p>`;
}

export function table(rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]) => row.map((cell) => `<w:tc>${paragraph(cell)}</w:tc>`).join('');
  return `<w:tbl>${rows.map((row) => `<w:tr>${cells(row)}</w:tr>`).join('')}</w:tbl>`;
}

export interface Sheet {
  readonly name: string;
  /** The rows, in SpreadsheetML. */
  readonly rows: string;
}

/** The parts of an XLSX. The styles of cells are by their place: 0 general, 1 date, 2 date and time, 3 percent, 4 money. */
export function xlsxParts(sheets: readonly Sheet[], strings: readonly string[], workbook = ''): Parts {
  const list = sheets.map(({ name }, n) => `<sheet name="${name}" sheetId="${n + 1}" r:id="r${n + 1}"/>`);
  const files = sheets.map((_, n) => ['worksheet', `worksheets/sheet${n + 1}.xml`] as const);
  const formats = ['0', '14', '22', '10', '170'].map((id) => `<xf numFmtId="${id}"/>`);
  const money = '<numFmts><numFmt numFmtId="170" formatCode="#,##0.00_);(#,##0.00)"/></numFmts>';
  return {
    '[Content_Types].xml': contentTypes('xl/workbook.xml', 'spreadsheetml.sheet.main'),
    '_rels/.rels': relations(['officeDocument', '/xl/workbook.xml']),
    'xl/workbook.xml': xml('workbook', `${workbook}<sheets>${list.join('')}</sheets>`),
    'xl/_rels/workbook.xml.rels': relations(...files, ['sharedStrings', 'sharedStrings.xml'], ['styles', 'styles.xml']),
    'xl/styles.xml': xml(
      'styleSheet',
      `${money}<cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs>${formats.join('')}</cellXfs>`,
    ),
    ...Object.fromEntries(
      sheets.map(({ rows }, n) => [
        `xl/worksheets/sheet${n + 1}.xml`,
        xml('worksheet', `<sheetData>${rows}</sheetData>`),
      ]),
    ),
    'xl/sharedStrings.xml': xml('sst', strings.map((text) => `<si>${text}</si>`).join('')),
  };
}

/** A shape with these paragraphs; `placeholder` is what it holds a place for. */
export function shape(paragraphs: readonly string[], placeholder = 'body'): string {
  const texts = paragraphs.map((text) => `<a:p><a:r><a:t>${text}</a:t></a:r></a:p>`);
  return `<p:sp><p:nvSpPr><p:nvPr><p:ph type="${placeholder}"/></p:nvPr></p:nvSpPr><p:txBody>${texts.join('')}</p:txBody></p:sp>`;
}

/** The parts of a PPTX: slides in this order, though their files have other numbers; notes go with the first. */
export function pptxParts(slides: readonly string[], notes = ''): Parts {
  const numbers = slides.map((_, n) => slides.length - n);
  return {
    '[Content_Types].xml': contentTypes('ppt/presentation.xml', 'presentationml.presentation.main'),
    '_rels/.rels': relations(['officeDocument', 'ppt/presentation.xml']),
    'ppt/presentation.xml': xml(
      'p:presentation',
      `<p:sldIdLst>${slides.map((_, n) => `<p:sldId id="${256 + n}" r:id="r${n + 1}"/>`).join('')}</p:sldIdLst>`,
    ),
    'ppt/_rels/presentation.xml.rels': relations(...numbers.map((n) => ['slide', `slides/slide${n}.xml`] as const)),
    ...Object.fromEntries(
      slides.map((shapes, n) => [`ppt/slides/slide${numbers[n]}.xml`, xml('p:sld', `<p:spTree>${shapes}</p:spTree>`)]),
    ),
    [`ppt/slides/_rels/slide${slides.length}.xml.rels`]: relations(['notesSlide', '../notesSlides/notesSlide1.xml']),
    'ppt/notesSlides/notesSlide1.xml': xml('p:notes', notes),
  };
}
