import { officeFormat } from './office-format.ts';
import type { OfficePackage } from './office-package.ts';
import type { TextOutput } from './text-output.ts';
import type { XmlVisitor } from './xml.ts';

/** Shapes that every slide repeats, or that show something else. */
const REPEATED = new Set(['sldNum', 'dt', 'ftr', 'hdr', 'sldImg']);

/** Slides in their order, each with its notes after it: paragraphs as lines, rows of tables as lines with a tab between cells. */
export const PPTX = officeFormat({
  name: 'pptx',
  mediaTypes: [
    'application/vnd.openxmlformats-officedocument.presentationml.presentation',
    'application/vnd.openxmlformats-officedocument.presentationml.slideshow',
    'application/vnd.ms-powerpoint.presentation.macroenabled.12',
  ],
  read,
});

async function read(parts: OfficePackage, output: TextOutput): Promise<void> {
  const main = await parts.main();
  const ids: string[] = [];
  await parts.demand(main, {
    open(name, attributes) {
      const id = attributes['r:id'];
      if (name === 'sldId' && id !== undefined) ids.push(id);
    },
  });
  const relations = await parts.relations(main);
  for (const id of ids) {
    const slide = relations.get(id)?.target;
    if (slide === undefined || output.isFull) continue;
    if (!output.isEmpty) output.write('\n');
    await parts.visit(slide, shapes(output));
    for (const { kind, target } of (await parts.relations(slide)).values()) {
      if (kind === 'notesSlide') await parts.visit(target, shapes(output));
    }
  }
}

function shapes(output: TextOutput): XmlVisitor {
  let isRepeated = false;
  let isText = false;
  let isInCell = false;
  let isFirstCell = true;
  /** A line that ended in a cell, where the next one goes on with a blank. */
  let isBroken = false;
  const write = (text: string) => {
    if (!isRepeated) output.write(isBroken ? ` ${text}` : text);
    isBroken = false;
  };
  const breakLine = () => {
    if (isInCell) isBroken = true;
    else write('\n');
  };

  return {
    isDone: () => output.isFull,
    open(name, { type = '' }) {
      if (name === 'sp') isRepeated = false;
      else if (name === 'ph') isRepeated = REPEATED.has(type);
      else if (name === 't') isText = true;
      else if (name === 'br') breakLine();
      else if (name === 'tr') isFirstCell = true;
      else if (name === 'tc') {
        if (!isFirstCell) write('\t');
        [isInCell, isFirstCell] = [true, false];
      }
    },
    text(text) {
      if (isText) write(text);
    },
    close(name) {
      if (name === 't') isText = false;
      else if (name === 'tc') [isInCell, isBroken] = [false, false];
      else if (name === 'sp') isRepeated = false;
      else if (name === 'tr') write('\n');
      else if (name === 'p') breakLine();
    },
  };
}
