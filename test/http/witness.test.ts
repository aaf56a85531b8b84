import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import type { BodyPrint } from '../../src/core/core.ts';
import { FsError } from '../../src/errors.ts';
import type { IncomingBody } from '../../src/http/body.ts';
import { EMPTY_PRINT, witnessBody } from '../../src/http/witness.ts';

const incoming = (stream: Readable): IncomingBody => ({ received: 0, stream: () => stream, settle: async () => {} });

/** The print of these bytes, come in these pieces. */
async function printOf(bytes: Buffer, boundary: string | null, every = 7): Promise<BodyPrint | null> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / every) }, (_, n) =>
    bytes.subarray(n * every, (n + 1) * every),
  );
  const body = witnessBody(incoming(Readable.from(pieces)), boundary, async () => {});
  expect((await buffer(body.stream())).equals(bytes)).toBe(true);
  return body.print;
}

const form = (boundary: string, values: readonly string[]) =>
  Buffer.from(`${values.map((value) => `--${boundary}\r\nname\r\n\r\n${value}\r\n`).join('')}--${boundary}--\r\n`);

describe('the print of a body', () => {
  it('is the same however the bytes arrive, and another for other bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 60 }),
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom(null, 'ab'),
        fc.integer({ min: 1, max: 20 }),
        async (one, other, boundary, every) => {
          const first = await printOf(Buffer.from(one), boundary, every);
          expect(first).toEqual(await printOf(Buffer.from(one), boundary, 1000));
          const isSame = Buffer.from(one).equals(Buffer.from(other));
          expect((await printOf(Buffer.from(other), boundary, 3))?.hash === first?.hash).toBe(isSame);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('of a form does not depend on its boundary', async () => {
    const values = ['one', 'two--', '--', '\r\n--x'];
    const first = await printOf(form('aBoundary', values), 'aBoundary');
    for (const [boundary, every] of [
      ['aBoundary', 1000],
      ['----another-and-longer-one', 5],
      ['z', 3],
    ] as const) {
      expect(await printOf(form(boundary, values), boundary, every)).toEqual(first);
    }
    expect(await printOf(form('aBoundary', [...values].reverse()), 'aBoundary')).not.toEqual(first);
  });

  it('tells a boundary from what only looks like the rest of one', async () => {
    // Without its boundary, each would be the same text.
    const one = await printOf(Buffer.from('x--ABy'), 'AB');
    expect((await printOf(Buffer.from('xy'), 'AB'))?.hash).not.toBe(one?.hash);
    expect((await printOf(Buffer.from('--ABxy'), 'AB'))?.hash).not.toBe(one?.hash);
    expect((await printOf(Buffer.from('xy'), null))?.hash).not.toBe(one?.hash);
  });

  it('of nothing is known before', async () => {
    expect(await printOf(Buffer.alloc(0), null)).toEqual(EMPTY_PRINT);
    expect(await printOf(Buffer.alloc(0), 'AB')).toEqual(EMPTY_PRINT);
  });
});

describe('a witnessed body', () => {
  it('ends for its reader after the witness has spoken', async () => {
    const spoken = Promise.withResolvers<void>();
    const body = witnessBody(incoming(Readable.from([Buffer.from('all')])), null, () => spoken.promise);
    let ended = false;
    const read = buffer(body.stream()).then((bytes) => {
      ended = true;
      return bytes;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([ended, body.bytes]).toEqual([false, 3]);
    spoken.resolve();
    expect((await read).toString()).toBe('all');
  });

  it('fails for its reader where the witness objects, and where the source fails', async () => {
    const refused = new FsError('conflict', 'no');
    const body = witnessBody(incoming(Readable.from([Buffer.from('x')])), null, () => Promise.reject(refused));
    await expect(buffer(body.stream())).rejects.toBe(refused);
    const broken = witnessBody(
      incoming(
        new Readable({
          read() {
            this.destroy(refused);
          },
        }),
      ),
      null,
      async () => {},
    );
    await expect(buffer(broken.stream())).rejects.toBe(refused);
    expect(broken.print).toBeNull();
  });

  it('asks for nothing before it is read', async () => {
    const source = new PassThrough();
    const body = witnessBody(incoming(source), null, async () => {});
    body.stream();
    await new Promise((resolve) => setImmediate(resolve));
    expect(source.readableFlowing).toBeNull();
    expect(source.listenerCount('readable')).toBe(0);
  });
});
