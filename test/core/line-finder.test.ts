import fc from 'fast-check';
import { RE2JS } from 're2js';
import { LineExpression } from '../../src/core/search/line-expression.ts';
import { type LineFinder, linesThat, literally, regardlessOfCase } from '../../src/core/search/line-finder.ts';

const never = () => false;

/** The numbers of the lines found in a block that begins at `start` of a larger buffer. */
function found(finder: LineFinder, text: string | Buffer, start = 0): readonly number[] {
  const bytes = Buffer.concat([Buffer.alloc(start, 'N'), Buffer.from(text), Buffer.from('NEEDLE needle a')]);
  const end = start + Buffer.byteLength(text);
  finder.load(bytes, start, end);
  const lines: number[] = [];
  for (let from = start; from < end; ) {
    const at = finder.next(from);
    if (at === null) break;
    lines.push(bytes.subarray(start, at).toString('latin1').split('\n').length);
    const feed = bytes.subarray(0, end).indexOf(10, at);
    from = (feed < 0 ? end : feed) + 1;
  }
  return lines;
}

/** The same by looking at every line. */
function expected(text: string, test: (line: string) => boolean): readonly number[] {
  const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : text.split('\n');
  return lines.flatMap((line, n) => (test(line.endsWith('\r') ? line.slice(0, -1) : line) ? [n + 1] : []));
}

const letters = fc.constantFrom('a', 'A', 'b', 'B', 'z', 'ä', 'Ä', 'σ', 'ς', 'Σ', '€', '🦊', ' ', '\n', '\r\n', '1');
const block = fc.array(letters, { minLength: 1, maxLength: 60 }).map((parts) => parts.join(''));
const word = fc
  .array(
    letters.filter((letter) => !letter.includes('\n')),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => parts.join(''));
const fold = (text: string) => text.toLowerCase().replaceAll('ς', 'σ');
const asciiFold = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

describe('a finder of lines', () => {
  it('finds literally what each line holds', () => {
    fc.assert(
      fc.property(block, word, fc.nat(3), (text, needle, start) => {
        expect(found(literally(needle), text, start)).toEqual(expected(text, (line) => line.includes(needle)));
      }),
    );
  });

  it('finds regardless of case what each line holds', () => {
    fc.assert(
      fc.property(block, word, fc.nat(3), (text, needle, start) => {
        const isAscii = /^[ -~]*$/.test(needle);
        const same = isAscii ? asciiFold : fold;
        const lines = expected(text, (line) => same(line).includes(same(needle)));
        expect(found(regardlessOfCase(needle, never), text, start)).toEqual(lines);
      }),
    );
  });

  it('finds by an expression what each line alone matches, though it looks at whole blocks first', () => {
    const sources = [
      '^a',
      'a$',
      '^$',
      '^a*$',
      'b\\s',
      '\\Aa',
      'a\\z',
      '(?-m)^b$',
      '(?s)a.b',
      '[^a]b',
      '\\bz',
      '\\B1',
      '(a|b)+1',
      'ä.',
    ];
    fc.assert(
      fc.property(block, fc.constantFrom(...sources), fc.boolean(), fc.nat(3), (text, source, caseSensitive, start) => {
        const alone = RE2JS.compile(source, caseSensitive ? 0 : RE2JS.CASE_INSENSITIVE);
        const finder = linesThat(new LineExpression(source, caseSensitive), never);
        expect(found(finder, text, start)).toEqual(expected(text, (line) => alone.test(line)));
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps its place where bytes are not UTF-8', () => {
    const text = Buffer.concat([
      Buffer.from([0xff, 0xc3, 0x0a, 0xe2, 0x82, 0x0a]),
      Buffer.from('aé\nb\n'),
      Buffer.from([0xf0]),
    ]);
    expect(found(linesThat(new LineExpression('^[ab]', true), never), text)).toEqual([3, 4]);
  });

  it('finds nothing more once the search is over', () => {
    const finder = linesThat(new LineExpression('a', true), () => true);
    expect(found(finder, `${'b\n'.repeat(1000)}a`)).toEqual([]);
  });
});
