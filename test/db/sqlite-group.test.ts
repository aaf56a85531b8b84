import Sqlite from 'better-sqlite3';
import { CommitGroup } from '../../src/db/sqlite-group.ts';
import type { Result, Statement, WireError } from '../../src/db/sqlite-wire.ts';

type Outcome = { result: Result } | { error: WireError };

/** A group over a real database, with a clock that the test moves. */
function openGroup() {
  const database = new Sqlite(':memory:');
  database.exec('create table parents (id text primary key) strict');
  database.exec('create table children (id text references parents (id) deferrable initially deferred) strict');
  database.pragma('foreign_keys = ON');
  const answers = new Map<number, Outcome>();
  const clock = { now: 0, stepMs: 0 };
  const group = new CommitGroup({
    connection: {
      run: ({ sql, parameters }: Statement) => ({
        rows: [],
        changes: database.prepare(sql).run(...parameters).changes,
      }),
      exec: (sql) => void database.exec(sql),
      begin: () => void database.exec('begin immediate'),
      inTransaction: () => database.inTransaction,
      letOthersIn: () => {},
    },
    reply: (id, outcome) => answers.set(id, outcome),
    drain: () => {},
    idleTransactionMs: 60_000,
    now: () => {
      clock.now += clock.stepMs;
      return clock.now;
    },
  });
  const insert = (id: number, table: string, key: string) => {
    group.accept({ kind: 'run', id, sql: `insert into ${table} values (?)`, parameters: [key] });
  };
  const step = (id: number, tx: number, key: string) => {
    group.accept({ kind: 'step', id, tx, sql: 'insert into parents values (?)', parameters: [key] });
  };
  const kept = () => database.prepare('select id from parents order by id').pluck().all();
  return { group, answers, clock, insert, step, kept };
}

describe('CommitGroup', () => {
  it('does many jobs in one commit and answers when that is done', () => {
    const { group, answers, insert, step, kept } = openGroup();
    insert(1, 'parents', 'a');
    group.accept({ kind: 'begin', id: 0, tx: 7 });
    step(2, 7, 'b');
    group.accept({ kind: 'commit', id: 3, tx: 7 });
    group.work();
    expect(kept()).toEqual(['a', 'b']);
    expect([...answers.keys()].sort()).toEqual([1, 2, 3]);
    expect(group.stats).toEqual({ commits: 1, jobs: 2 });
  });

  it('keeps finished jobs waiting while a transaction is open, and tells them only after the commit', () => {
    const { group, answers, insert, step } = openGroup();
    insert(1, 'parents', 'a');
    group.accept({ kind: 'begin', id: 0, tx: 7 });
    step(2, 7, 'b');
    group.work();
    expect([...answers.keys()]).toEqual([2]);
    group.accept({ kind: 'commit', id: 3, tx: 7 });
    group.work();
    expect([...answers.keys()]).toEqual([2, 1, 3]);
  });

  it('rolls back one transaction and keeps the others of its group', () => {
    const { group, insert, step, kept } = openGroup();
    for (const tx of [1, 2, 3]) {
      group.accept({ kind: 'begin', id: 0, tx });
      step(tx * 10, tx, `transaction ${tx}`);
      group.accept({ kind: tx === 2 ? 'rollback' : 'commit', id: tx * 10 + 1, tx });
    }
    insert(1, 'parents', 'single');
    group.work();
    expect(kept()).toEqual(['single', 'transaction 1', 'transaction 3']);
    expect(group.stats.commits).toBe(1);
  });

  it('fails every job of a group whose commit fails, and goes on', () => {
    const { group, answers, insert, step, kept } = openGroup();
    insert(1, 'parents', 'innocent');
    // Found only by the COMMIT, so this breaks the whole group.
    insert(2, 'children', 'nobody');
    group.accept({ kind: 'begin', id: 0, tx: 7 });
    step(3, 7, 'innocent too');
    group.accept({ kind: 'commit', id: 4, tx: 7 });
    group.work();
    const failed = { error: { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' } };
    for (const id of [1, 2, 4]) expect(answers.get(id)).toMatchObject(failed);
    expect(kept()).toEqual([]);
    insert(5, 'parents', 'later');
    group.work();
    expect(answers.get(5)).toMatchObject({ result: { changes: 1 } });
    expect(kept()).toEqual(['later']);
  });

  it('fails one statement without touching its neighbours', () => {
    const { group, answers, insert, kept } = openGroup();
    for (const [n, key] of ['a', 'a', 'b'].entries()) insert(n, 'parents', key);
    group.work();
    expect(answers.get(1)).toMatchObject({ error: { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' } });
    expect(kept()).toEqual(['a', 'b']);
  });

  it('commits after 64 jobs, or after 5 ms, though more wait', () => {
    const many = openGroup();
    for (let n = 0; n < 130; n += 1) many.insert(n, 'parents', `${n}`);
    many.group.work();
    expect(many.group.stats).toEqual({ commits: 3, jobs: 130 });
    const slow = openGroup();
    slow.clock.stepMs = 5;
    for (let n = 0; n < 4; n += 1) slow.insert(n, 'parents', `${n}`);
    slow.group.work();
    expect(slow.group.stats).toEqual({ commits: 4, jobs: 4 });
  });

  it('rolls back what is unfinished at the close and refuses what follows', () => {
    const { group, answers, insert, step, kept } = openGroup();
    insert(1, 'parents', 'done');
    group.accept({ kind: 'begin', id: 0, tx: 7 });
    step(2, 7, 'unfinished');
    group.work();
    group.close();
    group.accept({ kind: 'commit', id: 3, tx: 7 });
    expect(answers.get(3)).toMatchObject({ error: { code: 'SQLITE_ABORT' } });
    expect(kept()).toEqual(['done']);
  });
});
