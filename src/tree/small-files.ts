import { Piscina } from 'piscina';
import { threadFile } from '../thread-file.ts';
import type { HostPath } from './directory.ts';
import type { HomeDisk } from './disk.ts';
import { diskError } from './disk-error.ts';
import type { TreePath } from './path.ts';
import { Background } from './pool.ts';
import type { Batch, BatchMade } from './small-files-worker.ts';
import type { NewAttributes } from './staging.ts';

const BATCH_BYTES = 1024 * 1024;
/** As many descriptors may be open at once for a batch. */
const BATCH_FILES = 64;
const BATCHES_AT_ONCE = 3;
const MAX_THREADS = 2;
/** A batch whose files are being flushed leaves its thread to others. */
const TURNS = 4;
const IDLE_MS = 10_000;
const MAX_HEAP_MB = 64;
const PERMISSION_BITS = 0o777;

// One for the process: its threads begin with the first batch and end when there was none for a while.
let threads: Piscina<Batch, BatchMade> | null = null;

/** A file that is whole and not on the disk yet. */
export interface SmallFile extends NewAttributes {
  /** What errors name. */
  readonly path: TreePath;
  readonly at: HostPath;
  readonly content: Buffer;
  /** Called when it was made, with what it is charged, as Entry.charged. */
  readonly onMade: (charged: number) => void;
}

/**
 * Makes small files in staging, many at a time, in a thread that may wait for the disk: on the event loop each call of the
 * kernel is a trip to another thread and back, and of thousands of files most of the cost.
 */
export class SmallFiles {
  readonly #disk: HomeDisk;
  readonly #making = new Background(BATCHES_AT_ONCE);
  #waiting: SmallFile[] = [];
  #bytes = 0;

  constructor(disk: HomeDisk) {
    this.#disk = disk;
  }

  /** Takes a file, which is on the disk once `end` resolves. @throws what an earlier one failed with */
  async add(file: SmallFile): Promise<void> {
    this.#waiting.push(file);
    this.#bytes += file.content.length;
    if (this.#bytes >= BATCH_BYTES || this.#waiting.length >= BATCH_FILES) await this.#send();
  }

  /** Makes what waits, and waits until nothing is under way. @throws what any of it failed with */
  async end(): Promise<void> {
    try {
      await this.#send();
    } finally {
      await this.#making.end();
    }
  }

  async #send(): Promise<void> {
    const files = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    if (files.length > 0) await this.#making.begin(() => this.#make(files));
  }

  async #make(files: readonly SmallFile[]): Promise<void> {
    const made = await run(batchOf(files, this.#disk));
    if ('charged' in made) {
      for (const [index, charged] of made.charged.entries()) files[index]?.onMade(charged);
      return;
    }
    const { message, ...facts } = made.error;
    throw diskError(Object.assign(new Error(message), facts), files[made.failed]?.path ?? '');
  }
}

function batchOf(files: readonly SmallFile[], { owner, isDurable }: HomeDisk): Batch {
  return {
    files: files.map(({ at, content, mode, modifiedAt }) => ({
      at,
      bytes: content.length,
      mode: mode & PERMISSION_BITS,
      modifiedAt,
    })),
    content: Buffer.concat(files.map(({ content }) => content)),
    owner,
    isDurable,
  };
}

function run(batch: Batch): Promise<BatchMade> {
  threads ??= new Piscina({
    filename: threadFile('small-files-worker', import.meta.url).href,
    minThreads: 0,
    maxThreads: MAX_THREADS,
    concurrentTasksPerWorker: TURNS,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    // The options of the process (such as --eval's) are not for these threads.
    execArgv: [],
  });
  return threads.run(batch);
}
