import fc from 'fast-check';
import { FsError } from '../../src/errors.ts';
import { parseConditions } from '../../src/http/conditions.ts';
import { decodeCursor, encodeCursor, normaliseKeys, parseJson, parseQuery } from '../../src/http/decode.ts';
import { spanOf } from '../../src/http/ranges.ts';
import { safeContentType } from '../../src/http/safe-content-type.ts';

/** The value, or null where it is refused; anything but an FsError is a fault. */
function orRefused<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof FsError) return null;
    throw error;
  }
}

describe('whatever a client sends', () => {
  it('as JSON is refused or becomes plain data, and no prototype changes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        orRefused(() => parseJson(Buffer.from(text)));
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
    );
  });

  it('as keys is spelled in one way: doing it again changes nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const once = orRefused(() => normaliseKeys(value));
        if (once !== null) expect(normaliseKeys(once)).toEqual(once);
      }),
    );
  });

  it('as a query comes back as it was meant', () => {
    const words = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(words, (query) => {
        const meant = Object.entries(query);
        expect(Object.entries(parseQuery(String(new URLSearchParams(meant)))).sort()).toEqual(meant.sort());
      }),
    );
    fc.assert(fc.property(fc.string(), (search) => void orRefused(() => parseQuery(search))));
  });

  it('as a cursor is ours or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 5 }), (value) => {
        expect(decodeCursor(encodeCursor(value))).toEqual(value);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void orRefused(() => decodeCursor(text))));
  });

  it('as a range never leaves the file', () => {
    const headers = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
      fc.nat().map((n) => `bytes=-${n}`),
    );
    fc.assert(
      fc.property(headers, fc.nat(), (header, size) => {
        const span = spanOf(header, size);
        if (typeof span === 'string') return;
        expect(0 <= span.start && span.start <= span.end && span.end < size).toBe(true);
      }),
    );
  });

  it('as a type or a condition is a clean header or refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(safeContentType(text).contentType).toMatch(/^[\x21-\x7e]+(; charset=[\w.-]+)?$/);
        orRefused(() => parseConditions(text, text));
      }),
    );
  });
});
