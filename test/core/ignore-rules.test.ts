import { IgnoreRules } from '../../src/core/search/ignore-rules.ts';
import { parsePath, ROOT } from '../../src/tree/path.ts';
import { expectStuck } from '../support/stuck.ts';

const ignores = (text: string, path: string) =>
  new IgnoreRules(text, ROOT, null).ignores(parsePath(path.replace(/\/$/, '')), path.endsWith('/'));

describe('rules of a .gitignore', () => {
  it.each([
    ['a.log', 'a.log', true],
    ['a.log', 'deep/a.log', true],
    ['*.log', 'deep/a.log', true],
    ['/a.log', 'a.log', true],
    ['/a.log', 'deep/a.log', false],
    ['doc/*.txt', 'doc/a.txt', true],
    ['doc/*.txt', 'doc/x/a.txt', false],
    ['doc/*.txt', 'x/doc/a.txt', false],
    ['build/', 'build/', true],
    ['build/', 'x/build/', true],
    ['build/', 'build', false],
    ['**/foo', 'a/b/foo', true],
    ['**/foo/bar', 'a/foo/bar', true],
    ['abc/**', 'abc/x/y', true],
    ['abc/**', 'abc/', false],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/y/b', true],
    ['*.log\n!keep.log', 'keep.log', false],
    ['!keep.log\n*.log', 'keep.log', true],
    ['# a.log', '# a.log', false],
    ['\\#a', '#a', true],
    ['\\!a', '!a', true],
    ['a.log   ', 'a.log', true],
    ['a\\ ', 'a ', true],
    ['a.log\r', 'a.log', true],
    ['{a,b}', 'a', false],
    ['{a,b}', '{a,b}', true],
    ['[a-c]x', 'bx', true],
    ['../x', 'x', false],
    ['', 'x', false],
    ['/', 'x/', false],
  ])('%j on %s is %s', (text, path, expected) => {
    expect(ignores(text, path)).toBe(expected);
  });

  it('are overruled by those of a directory further down, which count from there', () => {
    const above = new IgnoreRules('*.log\n/gen/', ROOT, null);
    const below = new IgnoreRules('!keep.log\n/gen/', parsePath('src'), above);
    const answers = ['src/a.log', 'src/keep.log', 'src/deep/keep.log'].map((path) =>
      below.ignores(parsePath(path), false),
    );
    expect(answers).toEqual([true, false, false]);
    expect(below.ignores(parsePath('src/gen'), true)).toBe(true);
    expect(below.ignores(parsePath('src/x/gen'), true)).toBe(false);
  });

  it('take no time from hostile lines, which as regular expressions keep a thread busy for minutes', async () => {
    const path = `${'a/'.repeat(100)}a`;
    const before = performance.now();
    expect(ignores('**/a/**/a/**/a/**/a/**/a/**/a/b\n'.repeat(200), path)).toBe(false);
    expect(performance.now() - before).toBeLessThan(10_000);
    // What the usual libraries make of such a line.
    await expectStuck(`(?:^|/)a${'(?:/[^/]+)*/a'.repeat(5)}/b$`, path);
  });

  it('beyond a bound of their weight are left out', () => {
    const many = Array.from({ length: 5000 }, (_, n) => `name-${n}`).join('\n');
    expect(ignores(many, 'name-0')).toBe(true);
    expect(ignores(many, 'name-4999')).toBe(false);
  });
});
