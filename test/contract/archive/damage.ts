import type { ArchiveFormat } from '../../../src/archive/format.ts';
import { directory, file, packed, symlink, unpacked } from '../../archive/kit.ts';

/** What is refused, and that refusing is all that happens. */
export function describeDamage(format: ArchiveFormat): void {
  const sample = () =>
    packed(format, [directory('d'), file('d/a', 'hello '.repeat(40)), symlink('l', 'd/a'), file('n'.repeat(120), 'é')]);
  const refused = {
    code: 'invalid_request',
    message: expect.stringMatching(/^(the archive cannot be read: |the file)/),
  };

  it('cut off anywhere is refused, unless nothing but filling is missing', async () => {
    const whole = await sample();
    const all = await unpacked(format, whole);
    for (let length = 0; length < whole.length; length += length < 1200 ? 1 : 7) {
      const seen = await unpacked(format, whole.subarray(0, length)).catch((error: unknown) => error);
      if (Array.isArray(seen)) expect({ length, seen }).toEqual({ length, seen: all });
      else expect(seen).toMatchObject(refused);
    }
    await expect(unpacked(format, whole.subarray(0, whole.length - 1100))).rejects.toMatchObject(refused);
  });

  it('with a bit turned over is read or refused, and nothing else', async () => {
    const whole = await sample();
    let refusals = 0;
    for (let at = 0; at < whole.length; at += 3) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      const seen = await unpacked(format, bytes).catch((error: unknown) => error);
      if (Array.isArray(seen)) continue;
      expect(seen).toMatchObject(refused);
      refusals += 1;
    }
    expect(refusals).toBeGreaterThan(10);
  });

  it('is not taken for another format, nor text for it', async () => {
    const head = (await sample()).subarray(0, 512);
    expect(format.recognises(head)).toBe(true);
    for (const other of ['', 'P', 'hello', 'x'.repeat(512)]) expect(format.recognises(Buffer.from(other))).toBe(false);
    await expect(unpacked(format, Buffer.from('x'.repeat(2000)))).rejects.toMatchObject(refused);
    await expect(unpacked(format, Buffer.alloc(0))).rejects.toMatchObject(refused);
  });
}
