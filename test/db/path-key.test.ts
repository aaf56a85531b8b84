import fc from 'fast-check';
import { belowRange, fromPathKey, pathKey } from '../../src/db/path-key.ts';
import { pathFromBytes } from '../../src/tree/path.ts';

const NUL = 0;
const SLASH = 0x2f;
const DOT = 0x2e;

const name = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === NUL || byte === SLASH ? 1 : byte))))
  .filter((bytes) => !bytes.every((byte) => byte === DOT));
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((word) => !/[/\0]|^\.+$/.test(word));
const path = fc
  .array(fc.oneof(name, text.map(Buffer.from.bind(Buffer))), { minLength: 1, maxLength: 5 })
  .map((names) => pathFromBytes(Buffer.concat(names.flatMap((one, n) => (n === 0 ? [one] : [Buffer.from('/'), one])))));

const bytewise = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));

describe('pathKey', () => {
  it('gives every path a well-formed text and takes it back', () => {
    fc.assert(
      fc.property(path, (one) => {
        const key = pathKey(one);
        expect(key.isWellFormed()).toBe(true);
        expect(key).not.toContain('\0');
        expect(fromPathKey(key)).toBe(one);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives different paths different keys', () => {
    fc.assert(
      fc.property(path, path, (one, other) => {
        expect(pathKey(one) === pathKey(other)).toBe(one === other);
      }),
    );
  });

  it.each([
    ['', ''],
    ['a/b', 'a/b'],
    ['caf\udce9/é', '\u0001Y2Fm6Q/é'],
    ['\u0001YQ', '\u0001AVlR'],
    ['x\u0001', 'x\u0001'],
    ['\ufffd', '\ufffd'],
  ])('of %j is %j', (one, key) => {
    expect(pathKey(one)).toBe(key);
    expect(fromPathKey(key)).toBe(one);
  });
});

describe('belowRange', () => {
  it('holds exactly what is strictly below, in the order of bytes', () => {
    fc.assert(
      fc.property(path, path, (dir, other) => {
        const [from, to] = belowRange(pathKey(dir));
        const isIn = (one: string) => bytewise(pathKey(one), from) >= 0 && bytewise(pathKey(one), to) < 0;
        expect(isIn(`${dir}/${other}`)).toBe(true);
        expect(isIn(dir)).toBe(false);
        expect(isIn(`${dir}${other}`)).toBe(`${dir}${other}`.startsWith(`${dir}/`));
      }),
    );
  });

  it('of the root holds every path but the root', () => {
    const [from, to] = belowRange('');
    fc.assert(
      fc.property(path, (one) => {
        expect(bytewise(pathKey(one), from)).toBeGreaterThanOrEqual(0);
        expect(bytewise(pathKey(one), to)).toBeLessThan(0);
      }),
    );
    expect(bytewise('\u{10ffff}'.repeat(63), to)).toBeLessThan(0);
    expect(bytewise('', from)).toBeLessThan(0);
  });
});
