import { writeFileSync } from 'node:fs';
import { parsePath as p } from '../../src/tree/path.ts';
import { type SearchSite, searchSite } from './search-site.ts';

const LINES = [
  'README.md: Sales and other things',
  '.hidden/notes.txt: sales of old',
  'data/sales.csv: region,amount',
  'data/2026/SALES.CSV: region,amount',
  'data/empty/',
  'data/link => sales.csv',
  '.git/config: sales',
  'node_modules/x/index.js: sales',
  'src/.gitignore: node_modules/\n*.log\n!keep.log\n/gen\n',
  'src/a.log: sales',
  'src/keep.log: sales',
  'src/gen/a.ts: sales',
  'src/deep/gen/a.ts: sales',
  'src/node_modules/y.js: sales',
];

describe('a search', () => {
  let site: SearchSite & AsyncDisposable;
  beforeAll(async () => {
    site = await searchSite(LINES);
  });
  afterAll(() => site[Symbol.asyncDispose]());

  it('finds names by a glob: any depth without a slash, below its directory with one', async () => {
    const names = (text: string, more = {}) => site.paths({ within: 'names', text, ...more });
    expect(await names('*.csv')).toEqual(['data/sales.csv']);
    expect(await names('*.csv', { caseSensitive: false })).toEqual(['data/2026/SALES.CSV', 'data/sales.csv']);
    expect(await names('data/*')).toEqual(['data/2026', 'data/empty', 'data/link', 'data/sales.csv']);
    expect(await names('*', { path: p('data') })).toEqual(await names('data/**'));
    expect(await names('/sales.{csv,txt}', { path: p('data') })).toEqual(['data/sales.csv']);
    expect(await names('notes.*')).toEqual(['.hidden/notes.txt']);
    expect(await names('nothing*')).toEqual([]);
  });

  it('says what each thing found is, and how large', async () => {
    const { results, truncated } = await site.find({ within: 'names', text: 'data/*' });
    expect(truncated).toBe(false);
    expect(results.map(({ path, kind, size, lines }) => [path, kind, size, lines])).toEqual([
      ['data/2026', 'directory', 0, null],
      ['data/empty', 'directory', 0, null],
      ['data/link', 'symlink', 9, null],
      ['data/sales.csv', 'file', 13, null],
    ]);
  });

  it('leaves out what a .gitignore names, and .git, unless it is asked for them', async () => {
    const found = await site.paths({ text: 'sales' });
    expect(found).toEqual(['.hidden/notes.txt', 'node_modules/x/index.js', 'src/deep/gen/a.ts', 'src/keep.log']);
    const all = await site.paths({ text: 'sales', includeIgnored: true });
    expect(all.filter((path) => !found.includes(path))).toEqual([
      '.git/config',
      'src/a.log',
      'src/gen/a.ts',
      'src/node_modules/y.js',
    ]);
  });

  it('heeds a .gitignore above the directory it begins in', async () => {
    expect(await site.paths({ text: 'sales', path: p('src/deep') })).toEqual(['src/deep/gen/a.ts']);
    writeFileSync(site.home.at('src/deep/x.log'), 'sales');
    expect(await site.paths({ text: 'sales', path: p('src/deep') })).toEqual(['src/deep/gen/a.ts']);
  });

  it('finds content literally, and letters regardless of case where it is asked to', async () => {
    expect(await site.paths({ text: 'Sales' })).toEqual(['README.md']);
    expect(await site.paths({ text: 'S.les' })).toEqual([]);
    expect(await site.paths({ text: 'sALES AND', caseSensitive: false })).toEqual(['README.md']);
  });

  it('finds names and content at once, each path one time', async () => {
    const { results } = await site.find({ text: 'sales*', within: 'both', path: p('data') });
    expect(results.map(({ path, lines }) => [path, lines])).toEqual([['data/sales.csv', null]]);
    writeFileSync(site.home.at('data/amount'), 'the amount');
    const both = await site.find({ text: 'amount', within: 'both', path: p('data') });
    expect(both.results.map(({ path, lines }) => [path, lines?.length])).toEqual([
      ['data/2026/SALES.CSV', 1],
      ['data/amount', 1],
      ['data/sales.csv', 1],
    ]);
  });

  it('looks only at files that a pattern allows', async () => {
    expect(await site.paths({ text: 'sales', filePattern: '*.{js,log}' })).toEqual([
      'node_modules/x/index.js',
      'src/keep.log',
    ]);
    expect(await site.paths({ text: 'sales', filePattern: 'src/**' })).toEqual(['src/deep/gen/a.ts', 'src/keep.log']);
    expect(await site.paths({ text: '*', within: 'names', filePattern: '*.md' })).toEqual(['README.md']);
  });

  it('holds a regular expression against each line, or each name', async () => {
    expect(await site.paths({ text: '^[Ss]ales.*(things|old)$', regex: true })).toEqual([
      '.hidden/notes.txt',
      'README.md',
    ]);
    expect(await site.paths({ text: '^readme\\.', regex: true, within: 'names', caseSensitive: false })).toEqual([
      'README.md',
    ]);
  });

  it('looks at one file where its path is one', async () => {
    expect(await site.paths({ text: 'region', path: p('data/sales.csv') })).toEqual(['data/sales.csv']);
    expect(await site.paths({ text: 'nothing', path: p('data/sales.csv') })).toEqual([]);
  });

  it.each([
    ['a regular expression that is none', { text: '(', regex: true }, 'invalid_request'],
    ['look-around', { text: '(?=a)b', regex: true }, 'invalid_request'],
    ['an expression of huge counts', { text: '((a{30}){30}b?){90}', regex: true }, 'invalid_request'],
    ['a line break', { text: 'a\nb' }, 'invalid_request'],
    ['a glob that leaves the tree', { text: '../*', within: 'names' }, 'invalid_path'],
    ['a directory that is not there', { text: 'x', path: p('nowhere') }, 'not_found'],
    ['a link', { text: 'x', path: p('data/link') }, 'symlink'],
  ] as const)('refuses %s', async (_, query, code) => {
    await expect(site.find(query)).rejects.toMatchObject({ name: 'FsError', code });
  });
});
