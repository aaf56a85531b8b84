import { writeFileSync } from 'node:fs';
import type { SearchQuery } from '../../src/core/core.ts';
import { type SearchSite, searchHouse } from './search-site.ts';

const BLOCK = 256 * 1024;

describe('the lines a search finds', () => {
  const house = searchHouse();
  let site: SearchSite;
  beforeEach(async () => {
    site = await house.site([]);
  });
  afterEach(() => site[Symbol.dispose]());
  afterAll(() => house.close());

  const put = (content: string | Buffer, name = 'file') => writeFileSync(site.home.at(name), content);
  const lines = async (query: Partial<SearchQuery>) =>
    (await site.find(query)).results.flatMap((each) => each.lines ?? []);
  const numbers = async (query: Partial<SearchQuery>) => (await lines(query)).map(({ line }) => line);

  it('come with their numbers and the lines around them', async () => {
    put('one\ntwo\nthree\nfour\nfive\n');
    expect(await lines({ text: 'three', contextLines: 1 })).toEqual([
      { line: 3, text: 'three', before: ['two'], after: ['four'] },
    ]);
    expect(await lines({ text: 'o', contextLines: 9 })).toEqual([
      { line: 1, text: 'one', before: [], after: ['two', 'three', 'four', 'five'] },
      { line: 2, text: 'two', before: ['one'], after: ['three', 'four', 'five'] },
      { line: 4, text: 'four', before: ['one', 'two', 'three'], after: ['five'] },
    ]);
  });

  it('are without carriage returns and the mark at the beginning of a file', async () => {
    put('\ufeffone\r\ntwo\r\n');
    expect(await lines({ text: '^one$', regex: true, contextLines: 1 })).toEqual([
      { line: 1, text: 'one', before: [], after: ['two'] },
    ]);
    expect(await lines({ text: 'two', contextLines: 1 })).toEqual([
      { line: 2, text: 'two', before: ['one'], after: [] },
    ]);
  });

  it.each([
    ['literally', { text: 'NEEDLE' }],
    ['in any case', { text: 'needle', caseSensitive: false }],
    ['in any case beyond ASCII', { text: 'ÄPFEL', caseSensitive: false }],
    ['by an expression', { text: 'N[E]+DLE', regex: true }],
  ])('are counted rightly through a file of many blocks, %s', async (_, query) => {
    const all = Array.from(
      { length: 60_000 },
      (_, n) => `${n} ${'äpfel'.repeat(n % 5 === 0 ? 0 : 1).replace('ä', 'x')} line`,
    );
    const wanted = [0, 1, 20_000, 31_111, 31_112, 59_999];
    for (const n of wanted) all[n] = `${n} NEEDLE Äpfel`;
    put(`${all.join('\n')}\n`);
    expect(await numbers(query)).toEqual(wanted.map((n) => n + 1));
    const [, , third] = await lines({ ...query, contextLines: 1 });
    expect(third).toEqual({ line: 20_001, text: '20000 NEEDLE Äpfel', before: [all[19_999]], after: [all[20_001]] });
  });

  it('are found wherever a block ends', async () => {
    for (const shift of [-8, -6, -5, -1, 0, 1]) {
      put(
        `${'x'.repeat(99)}\n`
          .repeat(BLOCK / 100)
          .padEnd(BLOCK + shift, 'y')
          .concat('NEEDLE\nend\n'),
      );
      expect([shift, await numbers({ text: 'NEEDLE' })]).toEqual([shift, [Math.floor(BLOCK / 100) + 1]]);
    }
  });

  it('are cut around what was found where they are long, and found once', async () => {
    put(`first\n${'ä'.repeat(3 * BLOCK)}NEEDLE${'ö'.repeat(BLOCK)}NEEDLE\nlast NEEDLE`);
    const found = await lines({ text: 'NEEDLE' });
    expect(found.map(({ line }) => line)).toEqual([2, 3]);
    expect(found[0]?.text).toMatch(/^ä{90,100}NEEDLEö+$/);
    expect(Buffer.byteLength(found[0]?.text ?? '')).toBeLessThanOrEqual(1000);
  });

  it('of a regular expression are found in long lines too', async () => {
    put(`${'a'.repeat(2 * BLOCK)}NEEDLE`);
    const [found] = await lines({ text: 'N.*E$', regex: true });
    expect(found?.text).toMatch(/^a+NEEDLE$/);
  });

  it('hold letters of every alphabet regardless of case', async () => {
    put('ΟΔΥΣΣΕΥΣ\nStraße\nвремя');
    expect(await numbers({ text: 'οδυσσευς', caseSensitive: false })).toEqual([1]);
    expect(await numbers({ text: 'ВРЕМЯ', caseSensitive: false })).toEqual([3]);
  });

  it('are not looked for in binary files', async () => {
    put('text NEEDLE \0 more', 'binary');
    put(Buffer.from('NEEDLE', 'utf16le'), 'utf16');
    put(`${'x\n'.repeat(5000)}NEEDLE\0`, 'late');
    put(Buffer.concat([Buffer.from([0xff, 0xfe, 0x41]), Buffer.from('NEEDLE')]), 'latin');
    const { results } = await site.find({ text: 'NEEDLE' });
    expect(results.map(({ path }) => path)).toEqual(['late', 'latin'].sort());
    expect(results.find(({ path }) => path === 'latin')?.lines?.[0]?.text).toBe('\ufffd\ufffdANEEDLE');
  });
});
