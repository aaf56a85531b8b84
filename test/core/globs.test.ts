import fc from 'fast-check';
import picomatch from 'picomatch';
import { captureFilter } from '../../src/core/capture-rules.ts';
import { isGlob, parseGlob } from '../../src/core/globs.ts';
import { parsePath } from '../../src/tree/path.ts';

const matches = (glob: string, path: string, hidden = false) => parseGlob(glob, { hidden }).matches(parsePath(path));

describe('globs', () => {
  it.each([
    ['*.csv', 'a.csv', true],
    ['*.csv', 'in/a.csv', false],
    ['datasets/**/*.csv', 'datasets/a.csv', true],
    ['datasets/**/*.csv', 'datasets/x/y/a.csv', true],
    ['datasets/**/*.csv', 'other/a.csv', false],
    ['**/b/**/c', 'a/b/x/b/y/c', true],
    ['a/**', 'a', false],
    ['a/**', 'a/b/c', true],
    ['?.txt', 'ä.txt', true],
    ['?.txt', '🦊.txt', true],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[]]x', ']x', true],
    ['[x', '[x', true],
    ['{a,b{c,d}}.txt', 'bd.txt', true],
    ['{a}', '{a}', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['*', '.hidden', false],
    ['**/*', 'a/.git/config', false],
    ['.*', '.hidden', true],
    ['/top/*', 'top/x', true],
  ])('%s on %s is %s', (glob, path, expected) => {
    expect(matches(glob, path)).toBe(expected);
  });

  it('match hidden names where they are told to', () => {
    expect(matches('**', 'a/.git/config', true)).toBe(true);
    expect(matches('**/.*/**', 'a/.git/config', true)).toBe(true);
  });

  it('know the directory that all matches lie below, and how deep', () => {
    const about = (text: string) => {
      const { base, depth } = parseGlob(text, { hidden: false });
      return [base, depth];
    };
    expect(about('a/b/*.csv')).toEqual(['a/b', 1]);
    expect(about('a/*/c/*')).toEqual(['a', 3]);
    expect(about('a/**/c')).toEqual(['a', null]);
    expect(about('{a/b,a/c}/*')).toEqual(['a', 2]);
    expect(about('*')).toEqual(['', 1]);
  });

  it('agree with picomatch on whatever both understand', () => {
    const element = fc.constantFrom('*', 'a', 'ab', 'a*', '*b', '?', '[ab]', 'a?b', '*a*', '**', '.a');
    const name = fc.constantFrom('a', 'b', 'ab', 'aab', 'ba', 'aXb', '.a', 'abab');
    fc.assert(
      fc.property(
        fc.array(element, { minLength: 1, maxLength: 4 }),
        fc.array(name, { minLength: 1, maxLength: 5 }),
        (g, n) => {
          // A `**` at the end is at least one element here.
          fc.pre(g.at(-1) !== '**' && !g.some((each, at) => each === '**' && g[at + 1] === '**'));
          const [glob, path] = [g.join('/'), n.join('/')];
          expect(matches(glob, path, true)).toBe(picomatch(glob, { dot: true, noextglob: true })(path));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('take no longer for a bomb: the regular expression that it would be takes seconds', () => {
    const bomb = ['*a*a*a*b', 'a'.repeat(250)] as const;
    const slow = timed(() => picomatch(bomb[0], { noextglob: true, dot: true })(bomb[1]));
    const fast = timed(() => expect(matches(...bomb)).toBe(false));
    expect(slow).toBeGreaterThan(fast * 20);
    const deep = timed(() => expect(matches(`${'**/a/'.repeat(100)}b`, Array(1000).fill('a').join('/'))).toBe(false));
    expect(Math.max(fast, deep)).toBeLessThan(2500);
  });

  it('refuse what is too long or means too much', () => {
    expect(() => parseGlob('a'.repeat(200).concat('/').repeat(6), { hidden: false })).toThrow(/longer than 1024/);
    expect(() => parseGlob('{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}', { hidden: false })).toThrow(/more than 32/);
    expect(() => parseGlob('../*', { hidden: false })).toThrow(expect.objectContaining({ code: 'invalid_path' }));
    expect(isGlob('plain/name.txt')).toBe(false);
  });
});

describe('capture rules', () => {
  const kept = (path: string, rules: { include?: string[]; exclude?: string[] } = {}) =>
    captureFilter({ enabled: true, include: rules.include ?? [], exclude: rules.exclude ?? null })(parsePath(path));

  it('leave out .git, node_modules, __pycache__, .cache and hidden files by default, at any depth', () => {
    for (const path of [
      '.git/config',
      'x/.git/a/b',
      'node_modules/a.js',
      'p/q/__pycache__/a.pyc',
      '.cache/x',
      'a/.env',
    ]) {
      expect([path, kept(path)]).toEqual([path, false]);
    }
    for (const path of ['a.txt', 'node_modules', 'x/git/config', 'a/b/c.d'])
      expect([path, kept(path)]).toEqual([path, true]);
  });

  it('read patterns as a .gitignore does', () => {
    expect(kept('a/b/x.csv', { include: ['*.csv'] })).toBe(true);
    expect(kept('a/b/x.txt', { include: ['*.csv'] })).toBe(false);
    expect(kept('out/deep/x', { include: ['/out/'] })).toBe(true);
    expect(kept('a/out/x', { include: ['/out/'] })).toBe(false);
    expect(kept('a/out/x', { include: ['out/'] })).toBe(true);
    expect(kept('out/x.tmp', { include: ['out/'], exclude: ['*.tmp'] })).toBe(false);
    expect(kept('a/.env', { exclude: [] })).toBe(true);
  });
});

function timed(use: () => unknown): number {
  const began = performance.now();
  use();
  return performance.now() - began;
}
