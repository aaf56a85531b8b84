import type { Transaction } from 'kysely';
import { isTransactionConflict } from './failures.ts';
import type { Database, Schema } from './schema.ts';

const ATTEMPTS = 10;
const MAX_PAUSE_MS = 500;

/**
 * Runs `use` in a transaction: all of it is done when this resolves, or none of it. Inside a transaction it joins that one.
 * `use` runs again when the database gave the transaction up for another's sake, so it does nothing but queries, and only
 * through `tx`: a write past it would wait for the transaction to end.
 */
export async function inTransaction<T>(db: Database, use: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
  if (isTransaction(db)) return use(db);
  for (let attempt = 1; ; attempt += 1) {
    const then: (() => void)[] = [];
    try {
      const result = await db.transaction().execute((tx) => {
        afterCommit.set(tx, then);
        return use(tx);
      });
      for (const act of then) act();
      return result;
    } catch (error) {
      if (attempt === ATTEMPTS || !isTransactionConflict(error)) throw error;
    }
    // Spread out, or the same transactions would meet again.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(MAX_PAUSE_MS, 5 * 2 ** attempt)));
  }
}

// Of each open transaction: what is to be done when it is committed.
const afterCommit = new WeakMap<Database, (() => void)[]>();

/** Does something, which may not fail, once this transaction is committed; never, where it is not. */
export function onCommit(tx: Database, act: () => void): void {
  afterCommit.get(tx)?.push(act);
}

function isTransaction(db: Database): db is Transaction<Schema> {
  return db.isTransaction;
}
