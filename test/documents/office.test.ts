import {
  docxParts,
  packageOf,
  paragraph,
  pptxParts,
  relations,
  shape,
  table,
  xlsxParts,
  xml,
} from '../support/office.ts';
import { textOf } from './reading.ts';

const docx = (body: string, notes?: string) => textOf('docx', packageOf(docxParts(body, notes)));
const run = (text: string) => `<w:r><w:t>${text}</w:t></w:r>`;
const sheet = (rows: string, strings: readonly string[] = [], workbook = '') =>
  textOf('xlsx', packageOf(xlsxParts([{ name: 'S', rows }], strings, workbook)));

describe('a DOCX', () => {
  it('has paragraphs as lines, tabs, breaks, and entities as characters', async () => {
    const inner = `<w:p>${run('a &amp; &#x20ac;')}<w:r><w:tab/></w:r>${run('b')}<w:r><w:br/></w:r>${run('c')}</w:p>`;
    expect(await docx(`${paragraph('first ')}<w:p/>${inner}`)).toBe('first \n\na & €\tb\nc\n');
  });

  it('has cells with tabs, also where a table is in a cell', async () => {
    const nested = `<w:tbl><w:tr><w:tc>${paragraph('x')}${table([['1', '2']])}</w:tc><w:tc>${paragraph('y')}</w:tc></w:tr></w:tbl>`;
    expect(
      await docx(
        table([
          ['a', 'b'],
          ['c', 'd'],
        ]) +
          nested +
          paragraph('end'),
      ),
    ).toBe('a\tb\nc\td\nx 1\t2\ty\nend\n');
  });

  it('has each text once: not what was deleted, moved away, computed from, or repeated for older readers', async () => {
    const deleted = `<w:del>${run('GONE')}</w:del><w:moveFrom>${run('GONE')}</w:moveFrom><w:r><w:instrText>GONE</w:instrText></w:r>`;
    const box = (text: string) => `<w:txbxContent>${paragraph(text)}</w:txbxContent>`;
    const choice = `<mc:AlternateContent><mc:Choice>${box('box')}</mc:Choice><mc:Fallback>${box('box')}</mc:Fallback></mc:AlternateContent>`;
    expect(await docx(`<w:p>${run('kept')}${deleted}<w:r>${choice}</w:r><w:ins>${run('new')}</w:ins></w:p>`)).toBe(
      'kept\nbox\nnew\n',
    );
  });

  it('has its notes at the end', async () => {
    expect(await docx(paragraph('body'), `<w:footnote>${paragraph('a note')}</w:footnote>`)).toBe('body\na note\n');
  });

  it('is read in UTF-16, and with its parts in any place', async () => {
    const parts = docxParts('');
    const document = Buffer.from(
      `\ufeff${xml('w:document', paragraph('größer')).replace('UTF-8', 'UTF-16')}`,
      'utf16le',
    );
    const moved = { '_rels/.rels': relations(['officeDocument', '/Other/Doc.XML']), 'other/doc.xml': document };
    expect(await textOf('docx', packageOf({ ...parts, ...moved }))).toBe('größer\n');
  });
});

describe('an XLSX', () => {
  it('has sheets in their order under their names, and gaps where cells are left out', async () => {
    const rows =
      '<row r="1"><c r="B1"><v>1</v></c><c r="D1"><v>2</v></c></row><row r="9"/><row><c><v>3</v></c><c><v>4</v></c></row>';
    const parts = xlsxParts(
      [
        { name: 'Übersicht', rows },
        { name: 'Empty', rows: '' },
        { name: 'Third', rows: '<row><c><v>5</v></c></row>' },
      ],
      [],
    );
    expect(await textOf('xlsx', packageOf(parts))).toBe('Übersicht\n\t1\t\t2\n3\t4\n\nEmpty\n\nThird\n5\n');
  });

  it('has strings of every kind, each cell on one line', async () => {
    const strings = [
      '<t>shared</t>',
      '<r><t xml:space="preserve">rich </t></r><r><t>text</t></r><rPh><t>kana</t></rPh>',
      '<t>two\nlines</t>',
    ];
    const shared = [0, 1, 2, 99].map((n) => `<c t="s"><v>${n}</v></c>`).join('');
    const others =
      '<c t="inlineStr"><is><t>in</t></is></c><c t="str"><f>A1</f><v>made</v></c><c t="b"><v>0</v></c><c t="e"><v>#N/A</v></c>';
    expect(await sheet(`<row>${shared}${others}</row>`, strings)).toBe(
      'S\nshared\trich text\ttwo lines\t\tin\tmade\tFALSE\t#N/A\n',
    );
  });

  it('has dates, percents and money as they are shown, in either calendar', async () => {
    const cells = [0, 1, 2, 3, 4].map((style) => `<c s="${style}"><v>45000.25</v></c>`).join('');
    expect(await sheet(`<row>${cells}</row>`)).toBe(
      'S\n45000.25\t2023-03-15\t2023-03-15 06:00:00\t4500025.00%\t45,000.25\n',
    );
    const [cell, workbook] = ['<row><c s="1"><v>43538</v></c></row>', '<workbookPr date1904="1"/>'];
    expect(await sheet(cell, [], workbook)).toBe('S\n2023-03-15\n');
  });
});

describe('a PPTX', () => {
  it('has slides as the show has them, the notes with their slide, and no numbers of pages', async () => {
    const first = shape(['Title'], 'title') + shape(['one', 'two']) + shape(['7'], 'sldNum') + shape(['2026'], 'dt');
    const notes = shape(['said here']) + shape(['1'], 'sldNum');
    expect(await textOf('pptx', packageOf(pptxParts([first, shape(['second'])], notes)))).toBe(
      'Title\none\ntwo\nsaid here\n\nsecond\n',
    );
  });

  it('has cells with tabs', async () => {
    const cell = (text: string) =>
      `<a:tc><a:txBody>${text
        .split('|')
        .map((line) => `<a:p><a:r><a:t>${line}</a:t></a:r></a:p>`)
        .join('')}</a:txBody></a:tc>`;
    const grid = `<p:graphicFrame><a:tbl><a:tr>${cell('a')}${cell('b|c')}</a:tr><a:tr>${cell('d')}${cell('e')}</a:tr></a:tbl></p:graphicFrame>`;
    expect(await textOf('pptx', packageOf(pptxParts([grid])))).toBe('a\tb c\nd\te\n');
  });
});

describe('an office document', () => {
  it.each([
    ['whose main part is missing', { '_rels/.rels': relations(['officeDocument', 'word/no.xml']) }],
    ['whose main part is outside', { '_rels/.rels': relations(['officeDocument', '../../../../etc/passwd']) }],
    ['whose main part is somewhere else', { '_rels/.rels': relations(['officeDocument', 'http://127.0.0.1/x']) }],
    ['that names none', { '_rels/.rels': relations() }],
    ['that is not XML', { 'word/document.xml': '<w:p>' }],
    ['with a document type', { 'word/document.xml': `<!DOCTYPE w>${paragraph('x')}` }],
  ])('%s is refused', async (_what, parts) => {
    await expect(textOf('docx', packageOf({ ...docxParts(paragraph('x')), ...parts }))).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  it('whose relation is external is not looked at', async () => {
    const external = relations(['footnotes', 'word/document.xml']).replace('Id="r1"', 'Id="r1" TargetMode="External"');
    const parts = { ...docxParts(paragraph('once')), 'word/_rels/document.xml.rels': external };
    expect(await textOf('docx', packageOf(parts))).toBe('once\n');
  });
});
