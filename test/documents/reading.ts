import type { DocumentFormat } from '../../src/documents/format.ts';
import { documentFormat } from '../../src/documents/formats.ts';
import { TextOutput } from '../../src/documents/text-output.ts';

/** The text of a document, read here and now. */
export async function textOf(format: string | DocumentFormat, bytes: Uint8Array | string, maxBytes = 1e6) {
  const output = new TextOutput(maxBytes);
  const read = await (typeof format === 'string' ? documentFormat(format) : format).open();
  // A copy: PDF.js keeps what it is given.
  await read(Uint8Array.from(Buffer.from(bytes)), output);
  return output.text();
}
