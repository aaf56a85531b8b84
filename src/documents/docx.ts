import { officeFormat } from './office-format.ts';
import type { OfficePackage } from './office-package.ts';
import type { TextOutput } from './text-output.ts';
import type { XmlVisitor } from './xml.ts';

/** What has no text of the document in it: properties, what was deleted or moved away, and what stands for something else. */
const SKIPPED = new Set(['pPr', 'rPr', 'tblPr', 'trPr', 'tcPr', 'sectPr', 'del', 'moveFrom', 'Fallback']);
/** Parts that are read after the document itself. */
const NOTES = ['footnotes', 'endnotes'];

/** Paragraphs as lines, rows of tables as lines with a tab between cells, and notes at the end. */
export const DOCX = officeFormat({
  name: 'docx',
  mediaTypes: [
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    'application/vnd.ms-word.document.macroenabled.12',
  ],
  read,
});

async function read(parts: OfficePackage, output: TextOutput): Promise<void> {
  const main = await parts.main();
  await parts.demand(main, paragraphs(output));
  for (const { kind, target } of (await parts.relations(main)).values()) {
    if (NOTES.includes(kind)) await parts.visit(target, paragraphs(output));
  }
}

function paragraphs(output: TextOutput): XmlVisitor {
  let skipped = 0;
  let isText = false;
  /** Of each table that is open, the cells of its row so far. */
  const cells: number[] = [];
  /** A line that ended in a cell, where the next one goes on with a blank. */
  let isBroken = false;
  const write = (text: string) => {
    output.write(isBroken ? ` ${text}` : text);
    isBroken = false;
  };
  const breakLine = () => {
    if (cells.length === 0) output.write('\n');
    else isBroken = true;
  };

  return {
    isDone: () => output.isFull,
    open(name) {
      if (skipped > 0 || SKIPPED.has(name)) skipped += 1;
      else if (name === 't') isText = true;
      else if (name === 'tab') write('\t');
      else if (name === 'noBreakHyphen') write('-');
      else if (name === 'br' || name === 'cr' || name === 'txbxContent') breakLine();
      else if (name === 'tr') cells.push(0);
      else if (name === 'tc') {
        const before = cells.pop() ?? 0;
        if (before > 0) {
          isBroken = false;
          output.write('\t');
        }
        cells.push(before + 1);
      }
    },
    text(text) {
      if (isText && skipped === 0) write(text);
    },
    close(name) {
      if (skipped > 0) skipped -= 1;
      else if (name === 't') isText = false;
      else if (name === 'p') breakLine();
      else if (name === 'tr') {
        cells.pop();
        isBroken = false;
        breakLine();
      }
    },
  };
}
