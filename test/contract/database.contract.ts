import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import type { DatabaseKind, TestDatabase } from '../support/databases.ts';
import { describeAdministered } from './database/administered.ts';
import { describeAnswers } from './database/answers.ts';
import { describeAttributes } from './database/attributes.ts';
import { describeHolds } from './database/holds.ts';
import { describeLedger } from './database/ledger.ts';
import { describeLocks } from './database/locks.ts';
import { describeLongPaths } from './database/long-paths.ts';
import { describeObjects } from './database/objects.ts';
import { describeSlots } from './database/slots.ts';
import { describeTags } from './database/tags.ts';
import { describeTransactions } from './database/transactions.ts';

/** What every database promises, whichever it is. */
export function describeDatabase(kind: DatabaseKind): void {
  describe(`database on ${kind.name}`, () => {
    let database: TestDatabase;
    let opened: OpenedDatabase;
    beforeAll(async () => {
      database = await kind.create();
      opened = await openDatabase(database.url, { durability: 'none' });
    });
    afterAll(async () => {
      await opened.close();
      await database.drop();
    });

    const db = () => opened.db;
    describeTransactions(db);
    describeLedger(db);
    describeHolds(db);
    describeLocks(db);
    describeAdministered(db);
    describeObjects(db);
    describeSlots(db);
    describeAttributes(db);
    describeTags(db);
    describeAnswers(db);
    describeLongPaths(db);
  });
}
