import fc from 'fast-check';
import { FsError } from '../../../src/errors.ts';
import { decodeBase64, decodeContent, pathFromBase64 } from '../../../src/http/verbs/content.ts';
import { encodePath } from '../../../src/tree/path.ts';

const codeOf = (use: () => unknown): string | null => {
  try {
    use();
    return null;
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
};

describe('decodeBase64', () => {
  it('gives back every sequence of bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decoded = decodeBase64(Buffer.from(bytes).toString('base64'), 'content');
        expect(decoded.equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  it('refuses a text with any character that is none of the alphabet, wherever it stands', () => {
    const stranger = fc.constantFrom(' ', '\n', '-', '_', '!', 'é', '\0', '.');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 60 }), fc.nat(), stranger, (bytes, at, character) => {
        const text = Buffer.from(bytes).toString('base64');
        const spot = at % text.length;
        const replaced = text.slice(0, spot) + character + text.slice(spot + 1);
        expect(codeOf(() => decodeBase64(replaced, 'content'))).toBe('invalid_request');
        const inserted = text.slice(0, spot) + character + text.slice(spot);
        expect(codeOf(() => decodeBase64(inserted, 'content'))).toBe('invalid_request');
      }),
    );
  });

  it('refuses padding that is missing, doubled or in the middle', () => {
    for (const text of ['YQ', 'YQ=', 'YQ===', '=', '====', 'YQ==YQ==', 'Y', 'YWI', 'YWJj=']) {
      expect({ text, code: codeOf(() => decodeBase64(text, 'content')) }).toEqual({ text, code: 'invalid_request' });
    }
    expect(decodeBase64('', 'content')).toHaveLength(0);
  });
});

describe('decodeContent', () => {
  it('counts bytes of text, and refuses half a surrogate pair', () => {
    expect(decodeContent('héllo 😀', 'utf-8')).toHaveLength(11);
    expect(codeOf(() => decodeContent('\ud83d', 'utf-8'))).toBe('invalid_request');
  });
});

describe('pathFromBase64', () => {
  it('keeps every byte of a name, and refuses what is no path', () => {
    const bytes = Buffer.from('dir/\xff\xfe.txt', 'latin1');
    expect(encodePath(pathFromBase64(bytes.toString('base64'), 'path_b64')).equals(bytes)).toBe(true);
    for (const text of ['a/../b', 'a//b', 'a\0b', './a', 'a/']) {
      expect(codeOf(() => pathFromBase64(Buffer.from(text).toString('base64'), 'path_b64'))).toBe('invalid_path');
    }
  });
});
