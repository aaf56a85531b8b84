import { DATABASES } from '../support/databases.ts';
import { expectAccount } from './account.ts';

// The other pairs of database and workers are in account.long.test.ts.
describe.each(DATABASES)('usage on $name', (kind) => {
  const workers = kind.name === 'sqlite' ? 1 : 2;

  it(`equals a count by hand from the disk, the objects and the access log, with ${workers} workers`, () =>
    expectAccount(kind, workers));
});
