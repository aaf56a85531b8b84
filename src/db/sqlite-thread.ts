import { Worker } from 'node:worker_threads';
import { FsError } from '../errors.ts';
import { threadFile } from '../thread-file.ts';
import { MEMORY, type Reply, type Request, type Result, type ThreadData } from './sqlite-wire.ts';

const RETRY_AFTER_SECONDS = 1;

interface Waiting {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** A request as the caller writes it; the thread numbers it. */
export type Wanted = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

/**
 * The event loop's end of one SQLite thread. It keeps the process alive only while a request is unanswered.
 *
 * A thread that ends by itself (a failing disk may end it) takes with it what was under way: that is answered `unavailable`,
 * and whether a commit among it was done is not known. The next request opens the file again in a new thread; one of a
 * transaction that was lost is refused there.
 */
export class SqliteThread {
  readonly #data: ThreadData;
  readonly #onLost: (error: Error) => void;
  readonly #opened: Promise<Result>;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null;
  #lastId = 0;
  #closed = false;

  /** @param onLost told when the thread ended by itself */
  constructor(data: ThreadData, onLost: (error: Error) => void) {
    this.#data = data;
    this.#onLost = onLost;
    this.#worker = this.#start();
    this.#opened = this.#expect(0);
    // Nobody may ask; whoever does gets the error.
    this.#opened.catch(() => {});
  }

  /** Resolves when the file is open. @throws what SQLite says where it cannot be opened */
  async opened(): Promise<void> {
    await this.#opened;
  }

  /** @throws an Error with SQLite's `code`; unavailable where the thread ended or is closed */
  call(wanted: Wanted): Promise<Result> {
    const worker = this.#living();
    if (worker === null) return Promise.reject(this.#gone(null));
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = this.#expect(id);
    worker.postMessage({ ...wanted, id });
    return answer;
  }

  /** Sends what needs no answer of its own. */
  post(wanted: Wanted): void {
    this.#living()?.postMessage({ ...wanted, id: 0 });
  }

  /** Finishes what was sent, closes the file and ends the thread. Again: nothing. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (this.#closed || worker === null) {
      this.#closed = true;
      return;
    }
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    // One that could not be opened ends by itself and answers nothing.
    const closed = this.call({ kind: 'close' }).catch(() => {});
    this.#closed = true;
    await closed;
    worker.ref();
    await gone;
  }

  #start(): Worker {
    const worker = new Worker(threadFile('sqlite-worker', import.meta.url), {
      workerData: this.#data,
      // The options of the process (such as --eval's) are not for this file.
      execArgv: [],
    });
    worker.on('message', (reply: Reply) => this.#settle(reply));
    worker.on('error', (error) => this.#end(worker, error));
    worker.on('exit', (code) => this.#end(worker, new Error(`the thread ended with code ${code}`)));
    return worker;
  }

  /** The thread, started again where it was lost; null where it was closed, or what it held cannot come back. */
  #living(): Worker | null {
    if (this.#closed) return null;
    if (this.#worker === null && this.#data.path !== MEMORY) this.#worker = this.#start();
    return this.#worker;
  }

  #expect(id: number): Promise<Result> {
    if (this.#waiting.size === 0) this.#worker?.ref();
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #settle({ id, result, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (error === undefined) waiting?.resolve(result ?? { rows: [] });
    else waiting?.reject(Object.assign(new Error(error.message), { code: error.code }));
  }

  #end(worker: Worker, cause: unknown): void {
    // After an error comes the exit, when another thread may work already.
    if (this.#worker !== worker) return;
    this.#worker = null;
    const why = this.#gone(cause);
    if (!this.#closed) this.#onLost(why);
    for (const waiting of this.#waiting.values()) waiting.reject(why);
    this.#waiting.clear();
  }

  #gone(cause: unknown): FsError {
    if (this.#closed) return new FsError('unavailable', 'the metadata database is closed: the daemon is stopping');
    if (this.#data.path === MEMORY) {
      return new FsError('unavailable', 'the metadata database in memory is lost; restart the daemon', {}, cause);
    }
    const detail = { retryAfterSeconds: RETRY_AFTER_SECONDS };
    const message = 'the metadata database failed and is being opened again; try again in a moment';
    return new FsError('unavailable', message, detail, cause);
  }
}
