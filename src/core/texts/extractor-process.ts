import { getPriority, setPriority } from 'node:os';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { documentFormat } from '../../documents/formats.ts';
import { TextOutput } from '../../documents/text-output.ts';
import { CUT_OFF, PARTIAL, UNREADABLE } from './extractor-exit.ts';

/** Behind the daemon, which answers others meanwhile. */
const NICENESS = 5;
const LEAST_URGENT = 19;

/** The body of the process that reads one document: its bytes come in by standard input, its text goes out by standard output. */
async function main([name = '', size = '', maxTextBytes = '', readMs = '']: readonly string[]): Promise<void> {
  setPriority(Math.min(getPriority() + NICENESS, LEAST_URGENT));
  // No library has a reason to call anybody.
  for (const name of ['fetch', 'WebSocket', 'EventSource']) Reflect.deleteProperty(globalThis, name);
  // What libraries have to say goes nowhere, and never among the text.
  globalThis.console = new console.Console(process.stderr);
  const read = await documentFormat(name).open();
  const bytes = await receive(Number(size));
  if (bytes === null) process.exit(CUT_OFF);
  // Of promises that nobody waits for nothing is to be learnt.
  process.on('unhandledRejection', () => undefined);
  process.on('uncaughtException', () => process.exit(UNREADABLE));
  const output = new TextOutput(Number(maxTextBytes), Number(readMs));
  try {
    await read(bytes, output);
  } catch {
    process.exit(UNREADABLE);
  }
  const deflated = await promisify(deflateRaw)(output.text());
  process.stdout.write(deflated, () => process.exit(output.isLate ? PARTIAL : 0));
}

async function receive(size: number): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(size);
  let received = 0;
  for await (const chunk of process.stdin) {
    bytes.set(chunk, received);
    received += chunk.length;
  }
  return received === size ? bytes : null;
}

await main(process.argv.slice(2));
