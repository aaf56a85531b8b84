import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { threadFile } from '../../thread-file.ts';
import { CLOSED, type Extraction, type Extractor } from './extractor.ts';
import type { FromKeeper, ToKeeper } from './keeper-wire.ts';
import type { TextLimits } from './text-types.ts';

interface Waiting {
  /** The bytes sent last were taken. */
  taken(): void;
  done(extraction: Extraction): void;
}

interface Keeper {
  readonly process: ChildProcess;
  /** What it was given and has not said anything of yet. */
  readonly waiting: Map<number, Waiting>;
}

/**
 * An extractor in a process of its own, which begins with the first document and stays. To start a process is to copy the map of
 * the memory of whoever starts it: that would stop a daemon of some hundred mebibytes for tens of milliseconds each time.
 */
export function openKeptExtractor(limits: TextLimits): Extractor {
  let keeper: Keeper | null = null;
  let documents = 0;
  let isClosed = false;

  return {
    async extract(format, size, bytes) {
      if (isClosed) {
        bytes.destroy();
        return CLOSED;
      }
      keeper ??= startKeeper(limits, (lost) => {
        if (keeper === lost) keeper = null;
      });
      documents += 1;
      return give(keeper, documents, { format: format.name, size }, bytes);
    },

    async close() {
      isClosed = true;
      if (keeper === null) return;
      const { process } = keeper;
      const ended = once(process, 'exit');
      process.disconnect();
      await ended;
    },
  };
}

function startKeeper(limits: TextLimits, onLost: (keeper: Keeper) => void): Keeper {
  const process = fork(fileURLToPath(threadFile('extractor-keeper', import.meta.url)), [JSON.stringify(limits)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
    env: {},
    cwd: '/',
  });
  const keeper: Keeper = { process, waiting: new Map() };
  process.on('message', (message: FromKeeper) => {
    if (message.kind === 'taken') keeper.waiting.get(message.id)?.taken();
    else keeper.waiting.get(message.id)?.done(asReceived(message.extraction));
  });
  const lose = (how: string) => {
    onLost(keeper);
    for (const { done } of keeper.waiting.values()) done({ kind: 'failed', how });
  };
  process.on('error', ({ message }) => lose(message));
  process.on('exit', (code, signal) => lose(`its keeper ended with ${signal ?? code}`));
  return keeper;
}

/** Gives a document to a keeper, and waits for what becomes of it. */
async function give(
  { process, waiting }: Keeper,
  id: number,
  document: { readonly format: string; readonly size: number },
  bytes: Readable,
): Promise<Extraction> {
  const { promise, resolve } = Promise.withResolvers<Extraction>();
  let taken: () => void = () => undefined;
  waiting.set(id, {
    taken: () => taken(),
    done: (extraction) => {
      resolve(extraction);
      // Whoever sends bytes goes on, and finds that nobody waits for them.
      bytes.destroy();
      taken();
    },
  });
  const nextTaken = () => {
    const next = Promise.withResolvers<void>();
    taken = next.resolve;
    return next.promise;
  };
  try {
    tell(process, { kind: 'begin', id, ...document });
    await sendAll(process, id, bytes, nextTaken);
    return await promise;
  } finally {
    waiting.delete(id);
  }
}

async function sendAll(to: ChildProcess, id: number, bytes: Readable, taken: () => Promise<void>): Promise<void> {
  try {
    for await (const chunk of bytes) {
      const wasTaken = taken();
      tell(to, { kind: 'bytes', id, bytes: chunk });
      await wasTaken;
    }
  } catch {
    // The document is over, or its bytes cannot be read: then fewer come than were announced.
  }
  tell(to, { kind: 'end', id });
}

function tell(keeper: ChildProcess, message: ToKeeper): void {
  if (keeper.connected) keeper.send(message);
}

/** Bytes come as such between processes, and no more as a Buffer. */
function asReceived(extraction: Extraction): Extraction {
  return extraction.kind === 'text' ? { ...extraction, deflated: Buffer.from(extraction.deflated) } : extraction;
}
