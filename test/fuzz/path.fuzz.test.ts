import { join as joinText } from 'node:path';
import * as fc from 'fast-check';
import { FsError } from '../../src/errors.ts';
import {
  decodeName,
  display,
  encodePath,
  isWithin,
  join,
  parentOf,
  parsePath,
  pathB64,
  pathFromBytes,
  relativeTo,
  segmentsOf,
  type TreePath,
} from '../../src/tree/path.ts';

/** Text that likes slashes, dots, NULs and what is not Unicode. */
const nasty = fc.array(
  fc.oneof(
    fc.constantFrom('/', '//', '.', '..', '...', '\0', '\\', '%2e', '\ud800', '\udcff', 'é', '\ufffd', '~', ' ', '\n'),
    fc.string({ unit: 'binary', maxLength: 6 }),
  ),
  { maxLength: 12 },
);
const text = nasty.map((parts) => parts.join(''));
const bytes = fc.uint8Array({ maxLength: 40 }).filter((all) => !all.includes(0) && !all.includes(0x2f));

function parsed<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof FsError && error.code === 'invalid_path') return null;
    throw error;
  }
}

function expectConfined(path: TreePath): void {
  for (const segment of segmentsOf(path)) {
    expect(['', '.', '..']).not.toContain(segment);
    expect(segment).not.toMatch(/[/\0]/);
    expect(encodePath(segment).length).toBeLessThanOrEqual(255);
  }
  expect(encodePath(path).length).toBeLessThanOrEqual(4096);
}

describe('paths', () => {
  it('parsed from any text stay inside, or are refused with invalid_path', () => {
    fc.assert(
      fc.property(text, (wanted) => {
        const path = parsed(() => parsePath(wanted));
        if (path !== null) expectConfined(path);
      }),
      { numRuns: 2000 },
    );
  });

  it('parsed from any bytes stay inside, or are refused with invalid_path', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (wanted) => {
        const path = parsed(() => pathFromBytes(wanted));
        if (path !== null) expectConfined(path);
      }),
      { numRuns: 2000 },
    );
  });

  it('parse to themselves', () => {
    fc.assert(
      fc.property(text, (wanted) => {
        const path = parsed(() => parsePath(wanted));
        if (path !== null) expect(parsePath(path)).toBe(path);
      }),
      { numRuns: 2000 },
    );
  });

  it('keep every byte of every name, and never make two names one', () => {
    fc.assert(
      fc.property(bytes, bytes, (one, other) => {
        const name = decodeName(Buffer.from(one));
        expect(encodePath(name)).toEqual(Buffer.from(one));
        expect(decodeName(Buffer.from(other)) === name).toBe(Buffer.compare(one, other) === 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('survive path_b64, and are shown as valid Unicode', () => {
    fc.assert(
      fc.property(bytes, (name) => {
        const path = parsed(() => pathFromBytes(name));
        if (path === null) return;
        expect(display(path).isWellFormed()).toBe(true);
        const b64 = pathB64(path);
        expect(b64 === null).toBe(display(path) === path);
        if (b64 !== null) expect(pathFromBytes(Buffer.from(b64, 'base64'))).toBe(path);
      }),
      { numRuns: 2000 },
    );
  });

  it('lie within their parents, and come back from being relative', () => {
    fc.assert(
      fc.property(text, (wanted) => {
        const path = parsed(() => parsePath(wanted));
        if (path === null || path === '') return;
        const dir = parentOf(path);
        expect(isWithin(path, dir)).toBe(true);
        expect(isWithin(dir, path)).toBe(false);
        expect(join(dir, relativeTo(path, dir))).toBe(path);
      }),
      { numRuns: 2000 },
    );
  });

  it('that would leave the tree as plain text are refused', () => {
    for (const wanted of ['../x', 'a/../../x', '/../x', 'a//../../x']) {
      expect(joinText('/root/tree', wanted)).toBe('/root/x');
      expect(parsed(() => parsePath(wanted))).toBeNull();
    }
  });
});
