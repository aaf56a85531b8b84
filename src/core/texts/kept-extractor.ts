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

/**
 * An extractor in a process of its own, which begins with the first document and stays. To start a process is to copy the map of
 * the memory of whoever starts it: that would stop a daemon of some hundred mebibytes for tens of milliseconds each time.
 */
export function openKeptExtractor(limits: TextLimits): Extractor {
  const waiting = new Map<number, Waiting>();
  let keeper: ChildProcess | null = null;
  let documents = 0;
  let isClosed = false;

  function started(): ChildProcess {
    const process = fork(fileURLToPath(threadFile('extractor-keeper', import.meta.url)), [JSON.stringify(limits)], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
      env: {},
      cwd: '/',
    });
    process.on('message', (message: FromKeeper) => {
      if (message.kind === 'taken') waiting.get(message.id)?.taken();
      else waiting.get(message.id)?.done(asReceived(message.extraction));
    });
    const lost = (how: string) => {
      if (keeper === process) keeper = null;
      for (const { done } of waiting.values()) done({ kind: 'failed', how });
    };
    process.on('error', ({ message }) => lost(message));
    process.on('exit', (code, signal) => lost(`its keeper ended with ${signal ?? code}`));
    return process;
  }

  return {
    async extract(format, size, bytes) {
      if (isClosed) {
        bytes.destroy();
        return CLOSED;
      }
      keeper ??= started();
      const [to, id] = [keeper, documents];
      documents += 1;
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
      try {
        tell(to, { kind: 'begin', id, format: format.name, size });
        const nextTaken = () => {
          const next = Promise.withResolvers<void>();
          taken = next.resolve;
          return next.promise;
        };
        await sendAll(to, id, bytes, nextTaken);
        return await promise;
      } finally {
        waiting.delete(id);
      }
    },

    async close() {
      isClosed = true;
      const process = keeper;
      if (process === null) return;
      const ended = once(process, 'exit');
      process.disconnect();
      await ended;
    },
  };
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
