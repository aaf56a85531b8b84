import { Worker } from 'node:worker_threads';
import type { Reply, Request, Result, ThreadData } from './sqlite-wire.ts';

const HERE = import.meta.url;

interface Waiting {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** A request as the caller writes it; the thread numbers it. */
export type Wanted = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

/** The event loop's end of one SQLite thread. It keeps the process alive only while a request is unanswered. */
export class SqliteThread {
  readonly #worker: Worker;
  readonly #opened: Promise<Result>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #ended: Error | null = null;

  constructor(data: ThreadData) {
    this.#worker = new Worker(new URL(HERE.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js', HERE), {
      workerData: data,
      // The options of the process (such as --eval's) are not for this file.
      execArgv: [],
    });
    this.#opened = this.#expect(0);
    // Nobody may ask; whoever does gets the error.
    this.#opened.catch(() => {});
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#end(asError(error)));
    this.#worker.on('exit', () => this.#end(new Error('the database is closed')));
  }

  /** Resolves when the file is open. @throws what SQLite says where it cannot be opened */
  async opened(): Promise<void> {
    await this.#opened;
  }

  /** @throws an Error with SQLite's `code` */
  call(wanted: Wanted): Promise<Result> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = this.#expect(id);
    this.#worker.postMessage({ ...wanted, id });
    return answer;
  }

  /** Sends what needs no answer of its own. */
  post(wanted: Wanted): void {
    if (this.#ended === null) this.#worker.postMessage({ ...wanted, id: 0 });
  }

  /** Finishes what was sent, closes the file and ends the thread. Again: nothing. */
  async close(): Promise<void> {
    if (this.#ended !== null) return;
    const gone = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    // One that could not be opened ends by itself and answers nothing.
    const closed = this.call({ kind: 'close' }).catch(() => {});
    this.#ended ??= new Error('the database is closed');
    await closed;
    this.#worker.ref();
    await gone;
  }

  #expect(id: number): Promise<Result> {
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #settle({ id, result, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (error === undefined) waiting?.resolve(result ?? { rows: [] });
    else waiting?.reject(Object.assign(new Error(error.message), { code: error.code }));
  }

  #end(why: Error): void {
    this.#ended ??= why;
    for (const waiting of this.#waiting.values()) waiting.reject(why);
    this.#waiting.clear();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
