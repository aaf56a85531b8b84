import { mimeTypeOf, safeContentType } from '../../src/http/mime.ts';

describe('mimeTypeOf', () => {
  it.each([
    ['a.ts', 'text/plain'],
    ['A.TS', 'text/plain'],
    ['main.py', 'text/plain'],
    ['Dockerfile', 'text/plain'],
    ['.gitignore', 'text/plain'],
    ['a.tar.gz', 'application/gzip'],
    ['a.png', 'image/png'],
    ['.png', 'image/png'],
    ['a.html', 'text/html'],
    ['a.md', 'text/markdown'],
    ['dir.d/noextension', 'application/octet-stream'],
    ['a.unknownext', 'application/octet-stream'],
    ['', 'application/octet-stream'],
    ['a.', 'application/octet-stream'],
    ['a.__proto__', 'application/octet-stream'],
    ['a.constructor', 'application/octet-stream'],
  ])('%s is %s', (name, type) => {
    expect(mimeTypeOf(name)).toBe(type);
  });
});

describe('safeContentType', () => {
  it('keeps a charset that was declared, and says UTF-8 for other text', () => {
    expect(safeContentType('text/plain; charset=ISO-8859-1').contentType).toBe('text/plain; charset=ISO-8859-1');
    expect(safeContentType('text/csv').contentType).toBe('text/csv; charset=utf-8');
    expect(safeContentType('image/png; name="x"').contentType).toBe('image/png');
  });
});
