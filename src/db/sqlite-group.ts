import {
  type Result,
  type Statement,
  toWireError,
  type WireError,
  type WriteRequest,
  type WriterStats,
} from './sqlite-wire.ts';

/** The connection a group writes through. */
export interface WriterConnection {
  run(statement: Statement): Result;
  exec(sql: string): void;
  /** Begins the outer transaction, waiting while another process writes. */
  begin(): void;
  /** Called between two full groups, when nothing but others' patience would make room for other processes. */
  letOthersIn(): void;
  inTransaction(): boolean;
}

export interface GroupOptions {
  readonly connection: WriterConnection;
  reply(id: number, outcome: { result: Result } | { error: WireError }): void;
  /** Takes in whatever has arrived meanwhile, by calling `accept`. */
  drain(): void;
  /** After this long without a statement an open transaction is rolled back, so a forgotten one cannot stop all writers. */
  readonly idleTransactionMs: number;
  /** Milliseconds that only go forward. */
  now(): number;
}

interface Transaction {
  readonly tx: number;
  readonly steps: WriteRequest[];
  /** Why it can no longer commit. */
  failed: WireError | null;
}

type Job = Extract<WriteRequest, { kind: 'run' }> | Transaction;

const MAX_JOBS_A_GROUP = 64;
const MAX_GROUP_MS = 5;
const SAVEPOINT = 'workspaced_job';
const NOTHING: Result = { rows: [] };

/**
 * Runs write jobs one after the other inside one outer transaction and reports them done when that is committed, so many
 * jobs share one flush. A transaction is a savepoint: rolling it back leaves the others alone. Where the outer COMMIT
 * fails, all of its jobs fail.
 */
export class CommitGroup {
  readonly #options: GroupOptions;
  readonly #queue: Job[] = [];
  readonly #transactions = new Map<number, Transaction>();
  #active: Transaction | null = null;
  #open = false;
  #openedAt = 0;
  #done: { readonly id: number; readonly result: Result }[] = [];
  #watchdog: NodeJS.Timeout | null = null;
  #commits = 0;
  #jobs = 0;

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  get stats(): WriterStats {
    return { commits: this.#commits, jobs: this.#jobs };
  }

  /** Takes a request in without acting on it. */
  accept(request: WriteRequest): void {
    if (request.kind === 'run') {
      this.#queue.push(request);
      return;
    }
    if (request.kind === 'begin') {
      const transaction = { tx: request.tx, steps: [], failed: null };
      this.#transactions.set(request.tx, transaction);
      this.#queue.push(transaction);
      return;
    }
    const transaction = this.#transactions.get(request.tx);
    if (transaction !== undefined && transaction.failed === null) transaction.steps.push(request);
    else this.#refuse(request, transaction);
  }

  /** Works until nothing is left to do or an open transaction waits for its next statement. */
  work(): void {
    this.#unwatch();
    for (;;) {
      this.#options.drain();
      const job = this.#active ?? this.#queue.shift();
      if (job === undefined) break;
      if ('kind' in job) this.#runAlone(job);
      else if (!this.#advance(job)) {
        this.#watch(job);
        return;
      }
      if (this.#active !== null || !this.#isFull()) continue;
      this.#commit();
      this.#options.connection.letOthersIn();
    }
    this.#commit();
  }

  /** Ends what is open: an unfinished transaction is rolled back, finished jobs are committed. */
  close(): void {
    this.#unwatch();
    if (this.#active !== null)
      this.#abandon(this.#active, { code: 'SQLITE_ABORT', message: 'the database is closing' });
    this.#commit();
  }

  #isFull(): boolean {
    return (
      this.#done.length >= MAX_JOBS_A_GROUP || (this.#open && this.#options.now() - this.#openedAt >= MAX_GROUP_MS)
    );
  }

  #begin(): void {
    if (this.#open) return;
    this.#options.connection.begin();
    this.#open = true;
    this.#openedAt = this.#options.now();
  }

  #runAlone(job: Extract<WriteRequest, { kind: 'run' }>): void {
    try {
      this.#begin();
      // SQLite undoes a single failed statement by itself, so this needs no savepoint.
      this.#done.push({ id: job.id, result: this.#options.connection.run(job) });
    } catch (error) {
      this.#options.reply(job.id, { error: toWireError(error) });
      this.#checkLost(error);
    }
  }

  /** Takes the next step of a transaction; false when it has to wait for one. */
  #advance(transaction: Transaction): boolean {
    if (this.#active === null && !this.#start(transaction)) return true;
    const step = transaction.steps.shift();
    if (step === undefined) return false;
    try {
      if (step.kind === 'step') this.#options.reply(step.id, { result: this.#options.connection.run(step) });
      else this.#end(step);
    } catch (error) {
      this.#options.reply(step.id, { error: toWireError(error) });
      if (step.kind !== 'step') this.#abandon(transaction, toWireError(error));
      this.#checkLost(error);
    }
    return true;
  }

  #start(transaction: Transaction): boolean {
    try {
      this.#begin();
      this.#options.connection.exec(`savepoint ${SAVEPOINT}`);
      this.#active = transaction;
      return true;
    } catch (error) {
      this.#fail(transaction, toWireError(error));
      this.#checkLost(error);
      return false;
    }
  }

  #end(step: WriteRequest): void {
    const { connection, reply } = this.#options;
    if (step.kind === 'commit') {
      connection.exec(`release ${SAVEPOINT}`);
      this.#done.push({ id: step.id, result: NOTHING });
    } else {
      this.#undo();
      reply(step.id, { result: NOTHING });
    }
    if (this.#active !== null) this.#transactions.delete(this.#active.tx);
    this.#active = null;
  }

  #undo(): void {
    this.#options.connection.exec(`rollback to ${SAVEPOINT}`);
    this.#options.connection.exec(`release ${SAVEPOINT}`);
  }

  #commit(): void {
    if (!this.#open) return;
    const jobs = this.#done;
    try {
      this.#options.connection.exec('commit');
      this.#open = false;
      this.#done = [];
    } catch (error) {
      // Where even this fails nothing is known of the connection: that ends the thread, and the next one opens another.
      if (this.#options.connection.inTransaction()) this.#options.connection.exec('rollback');
      this.#checkLost(error);
      return;
    }
    this.#commits += 1;
    this.#jobs += jobs.length;
    for (const { id, result } of jobs) this.#options.reply(id, { result });
  }

  /** A full disk or an I/O error makes SQLite roll the whole outer transaction back: then no job of it was done. */
  #checkLost(error: unknown): void {
    if (!this.#open || this.#options.connection.inTransaction()) return;
    const lost = this.#done;
    this.#open = false;
    this.#done = [];
    for (const { id } of lost) this.#options.reply(id, { error: toWireError(error) });
    if (this.#active !== null) this.#fail(this.#active, toWireError(error));
  }

  /** Rolls back an open transaction on behalf of its owner, who learns it from the next statement. */
  #abandon(transaction: Transaction, why: WireError): void {
    if (this.#active === transaction && this.#options.connection.inTransaction()) this.#undo();
    this.#fail(transaction, why);
  }

  #fail(transaction: Transaction, why: WireError): void {
    transaction.failed = why;
    if (this.#active === transaction) this.#active = null;
    for (const step of transaction.steps.splice(0)) this.#refuse(step, transaction);
  }

  #refuse(request: WriteRequest, transaction: Transaction | undefined): void {
    const why = transaction?.failed ?? { code: 'SQLITE_ABORT', message: 'the transaction has ended' };
    if (request.kind === 'rollback') this.#options.reply(request.id, { result: NOTHING });
    else this.#options.reply(request.id, { error: why });
    if (request.kind !== 'step' && transaction !== undefined) this.#transactions.delete(transaction.tx);
  }

  #watch(transaction: Transaction): void {
    const message = `a transaction was idle for ${this.#options.idleTransactionMs} ms and was rolled back`;
    this.#watchdog = setTimeout(() => {
      this.#abandon(transaction, { code: 'SQLITE_ABORT', message });
      this.work();
    }, this.#options.idleTransactionMs);
  }

  #unwatch(): void {
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    this.#watchdog = null;
  }
}
