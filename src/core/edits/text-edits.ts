import { setImmediate as breathe } from 'node:timers/promises';
import { FsError } from '../../errors.ts';
import type { Entry } from '../../tree/entry.ts';
import { display } from '../../tree/path.ts';
import { demandInPlace } from '../rewrite.ts';
import type { TextEdit } from './edit-types.ts';
import { findOccurrences } from './occurrences.ts';
import { composed, type Splice, splicesAt } from './splices.ts';

/** A text file to be edited, its whole content, and what holds for the result. */
export interface Editable {
  readonly entry: Entry;
  readonly content: Buffer;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface Edited {
  readonly content: Buffer;
  /** How many replacements were made, of all edits together. */
  readonly occurrences: number;
  /** Where the new content differs from the old, in order. */
  readonly splices: readonly Splice[];
}

/** Of all edits: where each was made is kept until the end. */
const MAX_REPLACEMENTS = 100_000;
const BYTE_ORDER_MARK = '\ufeff';
const MARK = Buffer.from(BYTE_ORDER_MARK);

/**
 * Applies the edits one after the other, each to what those before it made; all of them, or it throws. A byte order mark is no
 * part of the text and stays. In a file whose first line ends with CRLF, `\n` in both strings stands for CRLF unless one of them has
 * `\r`; where that is not found, they are taken as they are.
 * @throws conflict for a text that is absent or not unique, with how often it occurs and the number of its edit, from 0;
 * too_large beyond `maxBytes`, or 100,000 replacements of all edits together
 */
export async function applyEdits(file: Editable, edits: readonly TextEdit[]): Promise<Edited> {
  const style = styleOf(file.content);
  let edited: Edited = { content: file.content, occurrences: 0, splices: [] };
  for (const [n, edit] of edits.entries()) {
    // A small file is searched in one step, and what the edits come to grows with every one of them.
    if (n > 0) await breathe();
    const found = await find({ ...file, content: edited.content }, edit, style);
    if (found.count === 0 || (found.count > 1 && !edit.replaceAll))
      throw unfit(file.entry, found.count, n, edits.length);
    edited = replaced(file, edited, found);
  }
  return edited;
}

interface Style {
  readonly textStart: number;
  readonly isCrlf: boolean;
}

function styleOf(content: Buffer): Style {
  const isMarked = content.subarray(0, MARK.length).equals(MARK);
  const newline = content.indexOf('\n');
  return { textStart: isMarked ? MARK.length : 0, isCrlf: newline > 0 && content[newline - 1] === 0x0d };
}

/** What is looked for, what replaces it, and where it was found. */
interface Found {
  readonly gone: Buffer;
  readonly come: Buffer;
  readonly count: number;
  readonly positions: readonly number[];
}

async function find({ content, signal }: Editable, edit: TextEdit, style: Style): Promise<Found> {
  const options = { from: style.textStart, overlapping: !edit.replaceAll, keep: MAX_REPLACEMENTS, signal };
  let found: Found | null = null;
  for (const [gone, come] of spellingsOf(edit, style)) {
    found = { gone, come, ...(await findOccurrences(content, gone, options)) };
    if (found.count > 0) break;
  }
  if (found === null) throw new Error('an edit has a spelling');
  return found;
}

/** The bytes that an edit may mean, the likelier first. */
function spellingsOf(edit: TextEdit, { textStart, isCrlf }: Style): readonly (readonly [Buffer, Buffer])[] {
  const isMarked = textStart > 0 && edit.oldString.length > 1;
  const [gone, come] = [edit.oldString, edit.newString].map((text) =>
    isMarked && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text,
  ) as [string, string];
  const literal = [Buffer.from(gone), Buffer.from(come)] as const;
  const both = gone + come;
  if (!isCrlf || !both.includes('\n') || both.includes('\r')) return [literal];
  return [[Buffer.from(gone.replaceAll('\n', '\r\n')), Buffer.from(come.replaceAll('\n', '\r\n'))], literal];
}

function unfit(entry: Entry, count: number, n: number, of: number): FsError {
  const path = display(entry.path);
  const whose = of === 1 ? 'old_string' : `old_string of edit ${n + 1} of ${of}`;
  const where = `${path}${n === 0 ? '' : ' after the edits before it'}, so nothing was changed`;
  const sentence =
    count === 0
      ? `${whose} does not occur in ${where}; read the file again and give its text exactly, with all white space`
      : `${whose} occurs ${count} times in ${where}; give more of the text around it, or set replace_all`;
  return new FsError('conflict', sentence, { path, occurrences: count, edit: n });
}

function replaced({ entry, maxBytes }: Editable, before: Edited, { gone, come, count, positions }: Found): Edited {
  const requested = before.occurrences + count;
  if (requested > MAX_REPLACEMENTS) {
    throw new FsError(
      'too_large',
      `the edits would replace ${requested} times in ${display(entry.path)}; at most ${MAX_REPLACEMENTS} are made at once`,
      { path: display(entry.path), limit: MAX_REPLACEMENTS, requested },
    );
  }
  demandInPlace(entry, before.content.length + count * (come.length - gone.length), maxBytes);
  const pieces: Buffer[] = [];
  let kept = 0;
  for (const position of positions) {
    pieces.push(before.content.subarray(kept, position), come);
    kept = position + gone.length;
  }
  pieces.push(before.content.subarray(kept));
  return {
    content: Buffer.concat(pieces),
    occurrences: before.occurrences + count,
    splices: composed(before.splices, splicesAt(positions, gone.length, come.length)),
  };
}
