import type { SurveyedFile } from '../../tree/survey.ts';
import type { LineFinder } from './line-finder.ts';
import { shownLine, shownLines } from './line-text.ts';
import type { SearchState } from './search-state.ts';
import { type FoundLine, ITEM_CHARACTERS } from './search-types.ts';

/** Bytes of a file in memory at a time; a longer line is looked at in pieces. */
export const BLOCK_BYTES = 256 * 1024;
/** What of a piece of a long line is looked at again with the next one, so that nothing is lost at the cut. */
const OVERLAP_BYTES = 16 * 1024;
/** Of the beginning of a file: a NUL there makes it binary. */
const TOLD_BY_BYTES = 8 * 1024;
/** How far from a line its context is looked for. */
const CONTEXT_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** What the searches of all files of one thread have in common. */
export interface FileSearchParts {
  readonly finder: LineFinder;
  readonly state: SearchState;
  readonly contextLines: number;
  readonly maxLines: number;
  /** Of BLOCK_BYTES: nothing else uses it until the file is done. */
  readonly buffer: Buffer;
}

/** The search of one opened file, block by block: call `step` until it is false, then look at `lines`. */
export class FileSearch {
  readonly lines: FoundLine[] = [];
  readonly #parts: FileSearchParts;
  readonly #file: SurveyedFile;
  /** Where in the file the buffer begins, and how much of it is filled. */
  #base = 0;
  #filled = 0;
  /** Lines that end before `#countedTo` (in the buffer); not counted before the first line is found. */
  #linesBefore: number | null = null;
  #countedTo = 0;

  constructor(parts: FileSearchParts, file: SurveyedFile) {
    this.#parts = parts;
    this.#file = file;
  }

  /** Reads and searches one more block. False at the end, at a bound, and where the file is binary. */
  step(): boolean {
    const { buffer, state } = this.#parts;
    const wanted = Math.min(BLOCK_BYTES - this.#filled, this.#file.size - this.#base - this.#filled);
    const read = wanted <= 0 ? 0 : this.#file.read(buffer, this.#filled, wanted, this.#base + this.#filled);
    if (!state.takeBytes(read)) return false;
    const isFirst = this.#base === 0 && this.#filled === 0;
    this.#filled += read;
    if (isFirst && buffer.subarray(0, Math.min(read, TOLD_BY_BYTES)).includes(0)) return false;
    const isLast = read === 0 || this.#base + this.#filled >= this.#file.size;
    const start =
      isFirst && buffer.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
    const lineEnd = buffer.subarray(0, this.#filled).lastIndexOf(LINE_FEED) + 1;
    const end = isLast || lineEnd === 0 ? this.#filled : lineEnd;
    if (!this.#search(start, end) || isLast) return false;
    this.#keepFrom(lineEnd === 0 ? this.#filled - OVERLAP_BYTES : lineEnd);
    return !state.isOver();
  }

  /** False where enough was found. */
  #search(start: number, end: number): boolean {
    const { finder, buffer, maxLines, state } = this.#parts;
    finder.load(buffer, start, end);
    for (let from = start; from < end; ) {
      const at = finder.next(from);
      if (at === null) return true;
      const lineStart = at === 0 ? 0 : buffer.lastIndexOf(LINE_FEED, at - 1) + 1;
      const feed = buffer.subarray(0, end).indexOf(LINE_FEED, at);
      const lineEnd = feed < 0 ? end : feed;
      const line = this.#lineNumberAt(lineStart);
      // The pieces of a long line are one line.
      if (line !== this.lines.at(-1)?.line) {
        if (this.lines.length === maxLines) {
          state.leaveOut();
          return false;
        }
        if (!this.#add(line, Math.max(lineStart, start), at, lineEnd)) return false;
      }
      from = lineEnd + 1;
    }
    return true;
  }

  /** False where the answer is full. */
  #add(line: number, lineStart: number, at: number, lineEnd: number): boolean {
    const { buffer, state, contextLines } = this.#parts;
    const text = shownLine(buffer.subarray(lineStart, lineEnd), at - lineStart);
    const before = contextLines === 0 ? [] : this.#before(lineStart, contextLines);
    const after = contextLines === 0 ? [] : this.#after(lineEnd + 1, contextLines);
    const characters = [...before, ...after].reduce((sum, each) => sum + each.length, ITEM_CHARACTERS + text.length);
    if (!state.takeCharacters(characters)) return false;
    this.lines.push({ line, text, before, after });
    return true;
  }

  #before(lineStart: number, count: number): string[] {
    const end = this.#base + lineStart;
    const from = Math.max(0, end - CONTEXT_BYTES);
    const bytes = this.#bytes(from, end);
    const isWhole = from === 0;
    const lines = shownLines(
      isWhole && bytes.indexOf(BYTE_ORDER_MARK) === 0 ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes,
    );
    // Without its beginning, the first is not the line it was.
    return lines.slice(isWhole ? 0 : 1).slice(-count);
  }

  #after(start: number, count: number): string[] {
    const from = this.#base + start;
    const end = Math.min(this.#file.size, from + CONTEXT_BYTES);
    return from >= end ? [] : shownLines(this.#bytes(from, end), count);
  }

  /** Part of the file, from the buffer where it is there. May be short where the file was cut meanwhile. */
  #bytes(from: number, end: number): Buffer {
    if (from >= this.#base && end <= this.#base + this.#filled) {
      return this.#parts.buffer.subarray(from - this.#base, end - this.#base);
    }
    const bytes = Buffer.allocUnsafe(end - from);
    return bytes.subarray(0, this.#file.read(bytes, 0, bytes.length, from));
  }

  #lineNumberAt(lineStart: number): number {
    this.#linesBefore ??= this.#countUpTo(this.#base);
    this.#linesBefore += lineFeeds(this.#parts.buffer, this.#countedTo, lineStart);
    this.#countedTo = Math.max(this.#countedTo, lineStart);
    return this.#linesBefore + 1;
  }

  /** Reads the beginning again: most files hold nothing, and are never counted. */
  #countUpTo(end: number): number {
    const bytes = Buffer.allocUnsafe(Math.min(end, BLOCK_BYTES));
    let count = 0;
    for (let position = 0; position < end && !this.#parts.state.isOver(); ) {
      const read = this.#file.read(bytes, 0, Math.min(bytes.length, end - position), position);
      if (read === 0) break;
      count += lineFeeds(bytes, 0, read);
      position += read;
    }
    return count;
  }

  #keepFrom(from: number): void {
    const { buffer } = this.#parts;
    if (this.#linesBefore !== null) this.#lineNumberAt(from);
    buffer.copyWithin(0, from, this.#filled);
    this.#base += from;
    this.#filled -= from;
    this.#countedTo = Math.max(0, this.#countedTo - from);
  }
}

function lineFeeds(bytes: Buffer, from: number, end: number): number {
  let count = 0;
  for (let at = from; at < end; at++) if (bytes[at] === LINE_FEED) count++;
  return count;
}
