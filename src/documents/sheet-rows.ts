import type { TextOutput } from './text-output.ts';
import type { XmlVisitor } from './xml.ts';

/** How the values of cells are shown. */
export interface Shown {
  /** The string that several cells may share, by its number. */
  string(n: number): string;
  number(value: number, style: number): string;
}

interface Cell {
  readonly type: string;
  readonly style: number;
  value: string;
}

/** Cells that nobody wrote between two of a row are shown as so many tabs at most. */
const MAX_GAP = 64;

/** Writes the rows of a sheet that have anything in them. */
export function sheetRows(output: TextOutput, shown: Shown): XmlVisitor {
  let row = '';
  let columns = 0;
  let cell: Cell | null = null;
  let isValue = false;

  return {
    isDone: () => output.isFull,
    open(name, { r = '', t = 'n', s = '0' }) {
      if (name === 'row') [row, columns] = ['', 0];
      else if (name === 'c') {
        const column = columnOf(r) ?? columns + 1;
        // A tab for each cell before it, the first of a row has none.
        row += '\t'.repeat(Math.max(0, Math.min(column - Math.max(columns, 1), MAX_GAP)));
        columns = Math.max(column, columns + 1);
        cell = { type: t, style: Number(s), value: '' };
      } else if (name === 'v' || name === 't') isValue = true;
      else if (name === 'rPh') isValue = false;
    },
    text(text) {
      if (isValue && cell !== null) cell.value += text;
    },
    close(name) {
      if (name === 'v' || name === 't') isValue = false;
      else if (name === 'c' && cell !== null) {
        // A cell is one piece of its line.
        row += shownCell(cell, shown).replaceAll(/[\t\r\n]+/g, ' ');
        cell = null;
      } else if (name === 'row' && row.trim() !== '') output.write(`${row.trimEnd()}\n`);
    },
  };
}

function shownCell({ type, style, value }: Cell, shown: Shown): string {
  if (value === '') return '';
  if (type === 's') return shown.string(Number(value));
  if (type === 'b') return value === '1' ? 'TRUE' : 'FALSE';
  if (type !== 'n') return value;
  const number = Number(value);
  return Number.isFinite(number) ? shown.number(number, style) : value;
}

/** The number of the column in a name like `AB12`, from 1; null where it has none. */
function columnOf(name: string): number | null {
  const letters = /^[A-Z]{1,3}/.exec(name)?.[0];
  if (letters === undefined) return null;
  return [...letters].reduce((number, letter) => number * 26 + letter.charCodeAt(0) - 64, 0);
}
