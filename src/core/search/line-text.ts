/** Bytes of a line that are shown. */
const SHOWN_BYTES = 1000;
/** Of those, at most so many before what was found. */
const LEAD_BYTES = 200;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line as text, cut to the part around `at` where it is long. Bytes that are not UTF-8 become U+FFFD. */
export function shownLine(bytes: Buffer, at = 0): string {
  const line = bytes[bytes.length - 1] === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
  if (line.length <= SHOWN_BYTES) return line.toString('utf8');
  const start = atCharacter(line, Math.max(0, Math.min(at - LEAD_BYTES, line.length - SHOWN_BYTES)));
  return line.toString('utf8', start, atCharacter(line, start + SHOWN_BYTES));
}

/** The lines in these bytes, at most `limit` of them; what follows the last line feed is one unless it is empty. */
export function shownLines(bytes: Buffer, limit = Number.POSITIVE_INFINITY): string[] {
  const lines: string[] = [];
  for (let start = 0; start < bytes.length && lines.length < limit; ) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed < 0 ? bytes.length : feed;
    lines.push(shownLine(bytes.subarray(start, end)));
    start = end + 1;
  }
  return lines;
}

/** Back to where the character at `at` begins. */
function atCharacter(bytes: Buffer, at: number): number {
  let start = at;
  while (start > 0 && at - start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}
