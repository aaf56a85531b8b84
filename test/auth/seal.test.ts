import { openSeals } from '../../src/auth/seal.ts';

const OLD = { id: 'k1', secret: 'o'.repeat(32) };
const NEW = { id: 'k2', secret: 'n'.repeat(32) };

describe('a seal', () => {
  it('gives the text back to its context alone', () => {
    const seals = openSeals([OLD]);
    for (const text of ['', 'a secret', '{"key":"wsk_…"}', 'ü'.repeat(100_000)]) {
      const sealed = seals.seal(text, 'one');
      expect(seals.open(sealed, 'one')).toBe(text);
      expect(seals.open(sealed, 'another')).toBeNull();
      if (text !== '') expect(Buffer.from(sealed.slice(3), 'base64').includes(text)).toBe(false);
    }
  });

  it('is another one each time', () => {
    const seals = openSeals([OLD]);
    expect(seals.seal('same', 'one')).not.toBe(seals.seal('same', 'one'));
  });

  it('is refused after any change', () => {
    const seals = openSeals([OLD]);
    // Of a length that base64 has no padding for: every character counts.
    const sealed = seals.seal('text!', 'one');
    for (let at = 0; at < sealed.length; at++) {
      const other = sealed[at] === 'A' ? 'B' : 'A';
      expect(seals.open(sealed.slice(0, at) + other + sealed.slice(at + 1), 'one')).toBeNull();
    }
    for (const text of ['', '.', 'k1', 'k1.', `k1.${'A'.repeat(20)}`]) expect(seals.open(text, 'one')).toBeNull();
  });

  it('opens with a key that was rotated, while it is kept', () => {
    const sealed = openSeals([OLD]).seal('text', 'one');
    expect(openSeals([NEW, OLD]).open(sealed, 'one')).toBe('text');
    expect(openSeals([NEW]).open(sealed, 'one')).toBeNull();
    expect(openSeals([{ ...NEW, id: 'k1' }]).open(sealed, 'one')).toBeNull();
    expect(openSeals([NEW, OLD]).seal('text', 'one')).toMatch(/^k2\./);
  });
});
