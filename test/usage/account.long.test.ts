import { DATABASES } from '../support/databases.ts';
import { expectAccount } from './account.ts';

describe.each(DATABASES)('usage on $name', (kind) => {
  it.each([1, 2, 3])(
    'equals a count by hand from the disk, the objects and the access log, with %i workers',
    (workers) => expectAccount(kind, workers),
  );
});
