import { PassThrough } from 'node:stream';
import { documentFormat } from '../../documents/formats.ts';
import { openExtractor } from './extractor.ts';
import type { FromKeeper, ToKeeper } from './keeper-wire.ts';
import type { TextLimits } from './text-types.ts';

/** The body of the keeper: it starts and watches the processes that read documents, and ends with the daemon. */
const limits: TextLimits = JSON.parse(process.argv[2] ?? '');
const extractor = openExtractor(limits);
const documents = new Map<number, PassThrough>();

function say(message: FromKeeper): void {
  if (process.connected) process.send?.(message);
}

async function begin(id: number, format: string, size: number): Promise<void> {
  const bytes = new PassThrough();
  // It is destroyed where the process that reads it is over.
  bytes.on('error', () => undefined);
  documents.set(id, bytes);
  const extraction = await extractor.extract(documentFormat(format), size, bytes);
  documents.delete(id);
  say({ kind: 'done', id, extraction });
}

process.on('message', (message: ToKeeper) => {
  const { kind, id } = message;
  if (kind === 'begin') void begin(id, message.format, message.size);
  else if (kind === 'end') documents.get(id)?.end();
  // What came for one that is over is taken by nobody, and its sender has been told.
  else documents.get(id)?.write(message.bytes, () => say({ kind: 'taken', id }));
});
process.on('disconnect', async () => {
  await extractor.close();
  process.exit(0);
});
// A terminal sends these to all of its processes: the daemon says when this one ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
