import { setImmediate as breathe } from 'node:timers/promises';
import { FILE_HEADERS_ONLY, formatPatch, type StructuredPatchHunk, structuredPatch } from 'diff';
import type { Splice } from './splices.ts';

/** A unified diff for people and for `patch`. */
export interface UnifiedDiff {
  readonly text: string;
  /** True where hunks at the end were left out; those that are there are whole. */
  readonly isCut: boolean;
}

/** Two contents and where they differ. */
export interface Compared {
  readonly before: Buffer;
  readonly after: Buffer;
  readonly splices: readonly Splice[];
}

const NEWLINE = 0x0a;
const CONTEXT_LINES = 3;
/** Bytes of both sides of all hunks, after which the diff is cut. */
const MAX_DIFF_BYTES = 1024 * 1024;
/** Larger stretches are shown as gone and come, line for line, without looking for lines that they share. */
const MAX_COMPARED_BYTES = 32 * 1024;
/** The lines that may differ until a stretch is shown so as well; the work grows with its square. */
const MAX_EDIT_LENGTH = 200;
const STEP_BYTES = 256 * 1024;

/**
 * The diff of two texts whose differences are known, so that only what lies around them is compared: the work is bounded
 * whatever the files are, and the event loop is left to others between steps. Applying an uncut one to `before` gives `after`.
 */
export async function unifiedDiff(path: string, compared: Compared): Promise<UnifiedDiff> {
  const hunks: StructuredPatchHunk[] = [];
  const at = { byte: 0, oldLine: 1, newLine: 1 };
  let room = MAX_DIFF_BYTES;
  let isCut = false;
  for (const stretch of stretchesOf(compared)) {
    room -= stretch.oldEnd - stretch.oldStart + stretch.newEnd - stretch.newStart;
    isCut = room < 0;
    if (isCut) break;
    const lines = await newlinesIn(compared.before, at.byte, stretch.oldStart);
    const [oldLine, newLine] = [at.oldLine + lines, at.newLine + lines];
    const [gone, come] = [textOf(compared.before, stretch, 'old'), textOf(compared.after, stretch, 'new')];
    for (const hunk of hunksOf(gone, come)) {
      hunks.push({ ...hunk, oldStart: hunk.oldStart + oldLine - 1, newStart: hunk.newStart + newLine - 1 });
    }
    at.byte = stretch.oldEnd;
    at.oldLine = oldLine + linesOf(gone).length;
    at.newLine = newLine + linesOf(come).length;
    await breathe();
  }
  const names = { oldFileName: `a/${path}`, newFileName: `b/${path}`, oldHeader: undefined, newHeader: undefined };
  return { text: formatPatch({ ...names, hunks }, FILE_HEADERS_ONLY), isCut };
}

function textOf(content: Buffer, stretch: Splice, side: 'old' | 'new'): string {
  return side === 'old'
    ? content.toString('utf8', stretch.oldStart, stretch.oldEnd)
    : content.toString('utf8', stretch.newStart, stretch.newEnd);
}

/** A stretch that may still grow. */
interface Open extends Splice {
  /** Where the line ends that the last splice ends in: what is changed before it needs no look at the lines again. */
  readonly lineEnd: number;
}

/** The splices widened to whole lines and the lines around them; those that meet are one. */
function* stretchesOf({ before, splices }: Compared): Generator<Splice> {
  let open: Open | null = null;
  for (const splice of splices) {
    const next: Open = widened(before, splice, open);
    if (open !== null && next.oldStart !== open.oldStart) yield open;
    open = next;
  }
  if (open !== null) yield open;
}

/** The stretch of a splice: the open one, grown, where they meet. Each line is gone through a few times, however many splices it has. */
function widened(before: Buffer, splice: Splice, open: Open | null): Open {
  const isSameLine = open !== null && splice.oldEnd < open.lineEnd;
  const lineEnd = isSameLine ? open.lineEnd : endOfLine(before, splice.oldEnd);
  const oldEnd = isSameLine ? open.oldEnd : linesDown(before, lineEnd);
  const end = { oldEnd, newEnd: splice.newEnd + oldEnd - splice.oldEnd, lineEnd };
  if (open !== null && splice.oldStart <= open.oldEnd) return { ...open, ...end };
  const oldStart = linesUp(before, splice.oldStart);
  if (open !== null && oldStart <= open.oldEnd) return { ...open, ...end };
  return { oldStart, newStart: splice.newStart - (splice.oldStart - oldStart), ...end };
}

/** The start of the line that is as far above that of the byte at `from` as context reaches. */
function linesUp(content: Buffer, from: number): number {
  let start = startOfLine(content, from);
  for (let n = 0; n < CONTEXT_LINES && start > 0; n += 1) start = startOfLine(content, start - 1);
  return start;
}

/** The end of the context below a line that ends at `from`. */
function linesDown(content: Buffer, from: number): number {
  let end = from;
  for (let n = 0; n < CONTEXT_LINES; n += 1) end = endOfLine(content, end);
  return end;
}

function startOfLine(content: Buffer, at: number): number {
  // A negative offset would count from the end.
  return at === 0 ? 0 : content.lastIndexOf(NEWLINE, at - 1) + 1;
}

function endOfLine(content: Buffer, at: number): number {
  const newline = content.indexOf(NEWLINE, at);
  return newline < 0 ? content.length : newline + 1;
}

/** Counted from the first line of the two texts. */
function hunksOf(gone: string, come: string): readonly StructuredPatchHunk[] {
  if (gone === come) return [];
  if (gone.length + come.length <= MAX_COMPARED_BYTES) {
    const options = { context: CONTEXT_LINES, maxEditLength: MAX_EDIT_LENGTH };
    const patch = structuredPatch('', '', gone, come, undefined, undefined, options);
    if (patch !== undefined) return patch.hunks;
  }
  const [oldLines, newLines] = [linesOf(gone), linesOf(come)];
  return [
    {
      ...{ oldStart: 1, oldLines: oldLines.length, newStart: 1, newLines: newLines.length },
      lines: [...marked('-', oldLines), ...marked('+', newLines)],
    },
  ];
}

function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function marked(mark: '-' | '+', lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) =>
    line.endsWith('\n') ? [`${mark}${line.slice(0, -1)}`] : [`${mark}${line}`, '\\ No newline at end of file'],
  );
}

async function newlinesIn(content: Buffer, start: number, end: number): Promise<number> {
  let count = 0;
  for (let from = start; from < end; from += STEP_BYTES) {
    if (from > start) await breathe();
    for (let at = from; at < Math.min(end, from + STEP_BYTES); at += 1) if (content[at] === NEWLINE) count += 1;
  }
  return count;
}
