/** Finds lines in a block of a file that hold what is looked for. */
export interface LineFinder {
  /** Begins a block of whole lines: the bytes of `buffer` from `start` to `end`. They stay as they are until the next call. */
  load(buffer: Buffer, start: number, end: number): void;
  /** The place of the first match at or after this one, which is the start of a line; null where there is none in the block. */
  next(from: number): number | null;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;

/** By the bytes of the text. */
export function literally(text: string): LineFinder {
  const needle = Buffer.from(text);
  let block: Buffer = needle;
  return {
    load: (buffer, _start, end) => {
      block = buffer.subarray(0, end);
    },
    next: (from) => {
      const at = block.indexOf(needle, from);
      return at < 0 ? null : at;
    },
  };
}

/** Upper and lower case are one: of A to Z where the text is ASCII, else of all letters that Unicode pairs one to one. */
export function regardlessOfCase(text: string, isOver: () => boolean): LineFinder {
  if (!ASCII.test(text)) {
    const needle = folded(text);
    return linesThat((line) => folded(line).indexOf(needle), isOver);
  }
  const needle = text.toLowerCase();
  let block = '';
  let offset = 0;
  return {
    // One character per byte: lower case keeps the length, and what is not ASCII never becomes it.
    load: (buffer, start, end) => {
      block = buffer.toString('latin1', start, end).toLowerCase();
      offset = start;
    },
    next: (from) => {
      const at = block.indexOf(needle, from - offset);
      return at < 0 ? null : at + offset;
    },
  };
}

/** The last sigma of a word is written differently in lower case alone. */
function folded(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ');
}

/** Line by line, by a test that tells where in the line it matches, or -1. Finds nothing more once `isOver`. */
export function linesThat(indexIn: (line: string) => number, isOver: () => boolean): LineFinder {
  let block: Buffer = Buffer.alloc(0);
  return {
    load: (buffer, _start, end) => {
      block = buffer.subarray(0, end);
    },
    next: (from) => {
      for (let start = from; start < block.length && !isOver(); ) {
        const feed = block.indexOf(LINE_FEED, start);
        const end = feed < 0 ? block.length : feed;
        const text = block.toString('utf8', start, block[end - 1] === CARRIAGE_RETURN && end > start ? end - 1 : end);
        const at = indexIn(text);
        if (at >= 0) return start + (at === 0 ? 0 : Math.min(Buffer.byteLength(text.slice(0, at)), end - start));
        start = end + 1;
      }
      return null;
    },
  };
}
