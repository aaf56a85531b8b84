import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import type { NewContent } from '../../src/core/core.ts';
import { type BytePatch, patched } from '../../src/core/edits/byte-patch.ts';
import { parsePath as p } from '../../src/tree/path.ts';
import type { OpenFile } from '../../src/tree/tree.ts';
import { type TemporaryHome, temporaryHome } from '../support/tree.ts';

async function opened(home: TemporaryHome, bytes: Uint8Array): Promise<OpenFile> {
  writeFileSync(home.at('f'), bytes);
  return home.tree.open(p('f'));
}

async function* chunksOf(old: Buffer, content: NewContent): AsyncIterable<Buffer> {
  if ('chunks' in content) yield* content.chunks;
  else yield* [old, content.appended];
}

async function joined(old: Buffer, content: NewContent): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunksOf(old, content)));
}

/** The same by plain slices of the whole. */
function plainly(old: Buffer, patch: BytePatch): Buffer {
  if (patch.operation === 'append') return Buffer.concat([old, patch.content]);
  if (patch.operation === 'prepend') return Buffer.concat([patch.content, old]);
  const gone = patch.operation === 'insert' ? 0 : (patch.length ?? patch.content.length);
  return Buffer.concat([old.subarray(0, patch.position), patch.content, old.subarray(patch.position + gone)]);
}

const content = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes));
const position = fc.nat(30);
const anyPatch: fc.Arbitrary<BytePatch> = fc.oneof(
  fc.record({ operation: fc.constant('append' as const), content }),
  fc.record({ operation: fc.constant('prepend' as const), content }),
  fc.record({ operation: fc.constant('insert' as const), content, position }),
  fc.record({ operation: fc.constant('replace' as const), content, position, length: fc.option(fc.nat(30)) }),
);

describe('a patch of bytes', () => {
  it('comes to what slices of the whole come to, or says that it lies beyond the file', async () => {
    using home = await temporaryHome();
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(content, anyPatch, async (old, patch) => {
        const file = await opened(home, old);
        try {
          const result = patched(file, patch);
          const bytes = await joined(old, result);
          expect(bytes).toEqual(plainly(old, patch));
          expect(result.bytes).toBe(bytes.length);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request', detail: { path: 'f', limit: old.length } });
          if (!('position' in patch)) throw error;
          const length = patch.operation === 'insert' ? 0 : (patch.length ?? 0);
          expect(patch.position + length).toBeGreaterThan(old.length);
          refused += 1;
        } finally {
          await file.close();
        }
      }),
      { numRuns: 300 },
    );
    expect(refused).toBeGreaterThan(0);
  });

  it('reads what stays in slices, so that memory is bounded', async () => {
    using home = await temporaryHome();
    const old = Buffer.alloc(1024 * 1024 + 7, 'x');
    const file = await opened(home, old);
    const result = patched(file, { operation: 'insert', position: 600_000, content: Buffer.from('here') });
    let largest = 0;
    let total = 0;
    for await (const chunk of chunksOf(Buffer.alloc(0), result)) {
      largest = Math.max(largest, chunk.length);
      total += chunk.length;
    }
    await file.close();
    expect({ largest, total }).toEqual({ largest: 256 * 1024, total: old.length + 4 });
  });
});
