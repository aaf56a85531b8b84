import { isAscii } from 'node:buffer';

/** Finds lines in a block of a file that hold what is looked for. */
export interface LineFinder {
  /** Begins a block of whole lines: the bytes of `buffer` from `start` to `end`. They stay as they are until the next call. */
  load(buffer: Buffer, start: number, end: number): void;
  /**
   * The place of the first match at or after `from`, which is the start of the block or of the line after the one found last;
   * null where there is none in the block.
   */
  next(from: number): number | null;
}

/** What lines are held against, one by one. */
export interface LineTest {
  /** False where no line of this text passes; true tells nothing. Spares the looking at single lines. */
  mayHold(text: string): boolean;
  /** Where in the line the match begins, or -1. */
  indexIn(line: string): number;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** How many lines are held against a test before it is asked whether the search is over. */
const LINES_AT_ONCE = 64;

/** By the bytes of the text. */
export function literally(text: string): LineFinder {
  const needle = Buffer.from(text);
  let block: Buffer = needle;
  return {
    load: (buffer, _start, end) => {
      block = buffer.subarray(0, end);
    },
    next: (from) => found(block.indexOf(needle, from)),
  };
}

/** Upper and lower case are one: of A to Z where the text is ASCII, else of all letters that Unicode pairs one to one. */
export function regardlessOfCase(text: string, isOver: () => boolean): LineFinder {
  if (isAscii(Buffer.from(text))) return regardlessOfAsciiCase(Buffer.from(text.toLowerCase()));
  const needle = folded(text);
  const indexIn = (line: string) => folded(line).indexOf(needle);
  return linesThat({ mayHold: (block) => indexIn(block) >= 0, indexIn }, isOver);
}

/** The last sigma of a word is written differently in lower case alone. */
function folded(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ');
}

/** Horspool's search over bytes: most of them are never looked at. */
function regardlessOfAsciiCase(needle: Buffer): LineFinder {
  const last = needle.length - 1;
  const fold = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte));
  // By the byte under the needle's end: how far the needle can be moved on.
  const shift = Uint16Array.from({ length: 256 }, (_, byte) => {
    const at = last === 0 ? -1 : needle.lastIndexOf(fold[byte] ?? 0, last - 1);
    return at < 0 ? needle.length : last - at;
  });
  const lastByte = needle[last];
  let block: Buffer = needle;
  const endsAt = (bytes: Buffer, end: number): boolean => {
    for (let n = 1; n <= last; n++) if (fold[bytes[end - n] ?? 0] !== needle[last - n]) return false;
    return true;
  };
  return {
    load: (buffer, _start, end) => {
      block = buffer.subarray(0, end);
    },
    next: (from) => {
      const bytes = block;
      for (let end = from + last; end < bytes.length; ) {
        const byte = bytes[end] ?? 0;
        if (fold[byte] === lastByte && endsAt(bytes, end)) return end - last;
        end += shift[byte] ?? 1;
      }
      return null;
    },
  };
}

function found(at: number): number | null {
  return at < 0 ? null : at;
}

/** Line by line. Finds nothing more once `isOver`. */
export function linesThat(test: LineTest, isOver: () => boolean): LineFinder {
  return new TestedLines(test, isOver);
}

class TestedLines implements LineFinder {
  readonly #test: LineTest;
  readonly #isOver: () => boolean;
  #bytes: Buffer = Buffer.alloc(0);
  #text = '';
  #isAscii = true;
  /** The start of the next line: in the text, in the bytes, and how many lines the bytes are behind. */
  #inText = 0;
  #inBytes = 0;
  #linesBehind = 0;

  constructor(test: LineTest, isOver: () => boolean) {
    this.#test = test;
    this.#isOver = isOver;
  }

  load(buffer: Buffer, start: number, end: number): void {
    this.#bytes = buffer.subarray(0, end);
    const block = buffer.subarray(start, end);
    this.#isAscii = isAscii(block);
    this.#text = block.toString(this.#isAscii ? 'latin1' : 'utf8');
    this.#inText = this.#test.mayHold(this.#text) ? 0 : this.#text.length;
    this.#inBytes = start;
    this.#linesBehind = 0;
  }

  next(): number | null {
    const text = this.#text;
    for (let lines = 1; this.#inText < text.length; lines++) {
      if (lines % LINES_AT_ONCE === 0 && this.#isOver()) return null;
      const start = this.#inText;
      const feed = text.indexOf('\n', start);
      const end = feed < 0 ? text.length : feed;
      const line = text.slice(start, end > start && text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end);
      this.#inText = end + 1;
      const at = this.#test.indexIn(line);
      if (at >= 0) return this.#place(line, at, end + 1 - start);
      if (this.#isAscii) this.#inBytes += end + 1 - start;
      else this.#linesBehind += 1;
    }
    return null;
  }

  /** In the bytes; goes past the line there too. Bytes that are not UTF-8 make it a guess within the line. */
  #place(line: string, at: number, length: number): number {
    for (; this.#linesBehind > 0; this.#linesBehind--)
      this.#inBytes = this.#bytes.indexOf(LINE_FEED, this.#inBytes) + 1;
    const start = this.#inBytes;
    const feed = this.#isAscii ? start + length - 1 : this.#bytes.indexOf(LINE_FEED, start);
    const end = feed < 0 ? this.#bytes.length : feed;
    this.#inBytes = end + 1;
    return start + (at === 0 ? 0 : Math.min(Buffer.byteLength(line.slice(0, at)), end - start));
  }
}
