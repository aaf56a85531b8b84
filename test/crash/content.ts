import { createHash } from 'node:crypto';

/** A body that says what it is, so that a torn or mixed file is recognised without remembering what was sent. */
export function makeContent(name: string, version: number, bytes: number): Buffer {
  const header = Buffer.from(`${JSON.stringify({ name, version, bytes })}\n`);
  const seed = createHash('sha512').update(header).digest();
  const filler = Buffer.alloc(bytes, seed);
  return Buffer.concat([header, filler]);
}

/** The version a whole body made by `makeContent` for `name` has. @throws when it is anything else */
export function versionOf(name: string, body: Buffer): number {
  const end = body.indexOf('\n');
  const header = JSON.parse(body.subarray(0, end).toString()) as { name: string; version: number; bytes: number };
  if (header.name !== name) throw new Error(`${name} holds the content of ${header.name}`);
  if (!body.equals(makeContent(name, header.version, header.bytes))) {
    throw new Error(`${name} is torn: ${body.length} bytes that are not version ${header.version}`);
  }
  return header.version;
}
