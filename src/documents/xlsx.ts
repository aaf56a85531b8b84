import { general, type NumberFormat, numberFormat } from './number-format.ts';
import { officeFormat } from './office-format.ts';
import type { OfficePackage } from './office-package.ts';
import { sheetRows } from './sheet-rows.ts';
import type { TextOutput } from './text-output.ts';

/** Characters of strings that cells share: more than any output takes, and they are held in memory. */
const MAX_SHARED = 32 * 1024 * 1024;
const MAX_STYLES = 100_000;

/** Sheets in their order, each under its name: rows as lines with a tab between cells, values as a reader sees them. */
export const XLSX = officeFormat({
  name: 'xlsx',
  mediaTypes: [
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    'application/vnd.ms-excel.sheet.macroenabled.12',
  ],
  read,
});

async function read(parts: OfficePackage, output: TextOutput): Promise<void> {
  const main = await parts.main();
  const sheets: { readonly name: string; readonly id: string }[] = [];
  let epoch: '1900' | '1904' = '1900';
  await parts.demand(main, {
    open(element, { name = '', 'r:id': id, date1904 }) {
      if (element === 'sheet' && id !== undefined) sheets.push({ name, id });
      if (element === 'workbookPr' && (date1904 === '1' || date1904 === 'true')) epoch = '1904';
    },
  });
  const relations = await parts.relations(main);
  const partOf = (wanted: string) => [...relations.values()].find(({ kind }) => kind === wanted)?.target ?? '';
  const strings = await sharedStrings(parts, partOf('sharedStrings'));
  const formats = await cellFormats(parts, partOf('styles'), epoch);
  const shown = {
    string: (n: number) => strings[n] ?? '',
    number: (value: number, style: number) => (formats[style] ?? general)(value),
  };
  for (const { name, id } of sheets) {
    if (output.isFull) return;
    output.write(output.isEmpty ? `${name}\n` : `\n${name}\n`);
    await parts.visit(relations.get(id)?.target ?? '', sheetRows(output, shown));
  }
}

async function sharedStrings(parts: OfficePackage, part: string): Promise<readonly string[]> {
  const strings: string[] = [];
  let characters = 0;
  let [current, isText, phonetic] = ['', false, 0];
  await parts.visit(part, {
    isDone: () => characters > MAX_SHARED,
    open(name) {
      if (name === 'si') current = '';
      else if (name === 'rPh') phonetic += 1;
      else if (name === 't') isText = phonetic === 0;
    },
    text(text) {
      if (isText) current += text;
    },
    close(name) {
      if (name === 't') isText = false;
      else if (name === 'rPh') phonetic -= 1;
      else if (name === 'si') {
        strings.push(current);
        characters += current.length;
      }
    },
  });
  return strings;
}

/** How numbers of each style of cells are shown. */
async function cellFormats(
  parts: OfficePackage,
  part: string,
  epoch: '1900' | '1904',
): Promise<readonly NumberFormat[]> {
  const codes = new Map<number, string>();
  const known = new Map<number, NumberFormat>();
  const formats: NumberFormat[] = [];
  let isOfCells = false;
  await parts.visit(part, {
    isDone: () => formats.length > MAX_STYLES,
    open(name, { numFmtId = '0', formatCode }) {
      if (name === 'cellXfs') isOfCells = true;
      else if (name === 'numFmt' && formatCode !== undefined) codes.set(Number(numFmtId), formatCode);
      else if (name === 'xf' && isOfCells) {
        const id = Number(numFmtId);
        const format = known.get(id) ?? numberFormat(id, codes.get(id), epoch);
        known.set(id, format);
        formats.push(format);
      }
    },
    close(name) {
      if (name === 'cellXfs') isOfCells = false;
    },
  });
  return formats;
}
