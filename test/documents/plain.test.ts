import { decode } from '../../src/documents/encoding.ts';
import { general, numberFormat } from '../../src/documents/number-format.ts';
import { headBytes } from '../../src/documents/plain.ts';
import { TextOutput } from '../../src/documents/text-output.ts';
import { textOf } from './reading.ts';

const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');

describe('plain text', () => {
  it.each([
    ['UTF-8', Buffer.from('# Größe\r\n\t🙂')],
    ['UTF-8 with a mark', Buffer.from('\ufeff# Größe\r\n\t🙂')],
    ['UTF-16, little end first', utf16('# Größe\r\n\t🙂')],
    ['UTF-16, big end first', utf16('# Größe\r\n\t🙂').swap16()],
  ])('is read from %s as it stands', async (_name, bytes) => {
    expect(await textOf('plain', bytes)).toBe('# Größe\r\n\t🙂');
  });

  it.each([
    ['Latin-1', Buffer.from('Größe', 'latin1')],
    ['bytes with NUL', Buffer.from('a\0b')],
    ['UTF-16 without a mark', Buffer.from('text', 'utf16le')],
    ['half a character at the end', Buffer.from('ü').subarray(0, 1)],
  ])('is not guessed from %s', async (_name, bytes) => {
    await expect(textOf('plain', bytes)).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('of any length is read from its first bytes', async () => {
    for (const text of ['ä', 'x', '🙂', '語']) {
      for (const bytes of [Buffer.from(text.repeat(1000)), utf16(text.repeat(1000))]) {
        const head = bytes.subarray(0, headBytes(100));
        expect(await textOf('plain', head, 100)).toBe(text.repeat(Math.floor(100 / Buffer.byteLength(text))));
      }
    }
  });
});

describe('a page', () => {
  const french = '<p>déjà vu</p>';
  it.each([
    ['says', Buffer.from(`<meta charset="iso-8859-15">${french}<p>\xa4</p>`, 'latin1'), 'déjà vu\n\n€'],
    [
      'says in the old way',
      Buffer.from(`<meta http-equiv=x content="text/html; charset=latin1">${french}`, 'latin1'),
      'déjà vu',
    ],
    ['does not say', Buffer.from(`${french}<p>\x80</p>`, 'latin1'), 'déjà vu\n\n€'],
    ['says wrongly, being UTF-8', Buffer.from(`<meta charset="latin1">${french}`), 'déjà vu'],
    ['marks', utf16(french), 'déjà vu'],
  ])('is read in the encoding it %s', async (_name, bytes, text) => {
    expect(await textOf('html', bytes)).toBe(text);
  });

  it('shows what a browser shows: headings, lists, tables, no script, no style, no address', async () => {
    const page = `<html><head><title>T</title><style>p{}</style></head><body><h1>Head</h1><script>evil()</script>
      <p>a <a href="http://x.example/">link</a><br>b<img src="x.png" alt="alt">&nbsp;&eacute;</p><ul><li>one</li><li>two</li></ul>
      <table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>22</td></tr></table><pre>  kept\n   so</pre></body></html>`;
    expect(await textOf('html', page)).toBe(
      'Head\n\na link\nb\u00a0é\n\n * one\n * two\n\nA   B\n1   22\n\n  kept\n   so',
    );
  });
});

it('a decoder names the encoding that failed', () => {
  expect(() => decode(Buffer.from([0xff]), 'utf-8')).toThrow('not text in utf-8');
});

describe('an output', () => {
  it('takes no more after the first that found no room', () => {
    const output = new TextOutput(4);
    for (const text of ['abc', 'üü', 'd']) output.write(text);
    expect([output.text(), output.isFull, output.isLate]).toEqual(['abc', true, false]);
  });

  it('is full when its time is over, and says that', () => {
    const output = new TextOutput(100, performance.now() - 1);
    output.write('before anybody asked');
    expect([output.isFull, output.isLate]).toEqual([true, true]);
    output.write('after');
    expect(output.text()).toBe('before anybody asked');
  });

  it('leaves out what no database takes', () => {
    const output = new TextOutput(100);
    for (const text of ['a\0b', '\ud800', 'c']) output.write(text);
    expect(output.text()).toBe('ab\ufffdc');
  });
});

describe('numbers of a sheet', () => {
  it.each([
    [0.1 + 0.2, 0, undefined, '0.3'],
    [1e21, 0, undefined, '1e+21'],
    [1234.5, 4, undefined, '1,234.50'],
    [0.125, 10, undefined, '12.50%'],
    [45000, 164, 'dd/mm/yyyy;@', '2023-03-15'],
    [45000.5, 164, '[$-409]m/d/yy\\ h:mm\\ AM/PM', '2023-03-15 12:00:00'],
    [0.75, 20, undefined, '18:00:00'],
    [5, 164, '0" days"', '5'],
    [5, 164, '0.00E+00', '5'],
    [-1, 14, undefined, '-1'],
    [1e9, 14, undefined, '1000000000'],
  ])('%p in format %p %p is %p', (value, id, code, shown) => {
    expect(numberFormat(id, code, '1900')(value)).toBe(shown);
  });

  it('are shown with fifteen digits at most', () => {
    expect(general(123456789012345680)).toBe('123456789012346000');
  });
});
