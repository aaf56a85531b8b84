import { describeDatabase } from '../contract/database.contract.ts';
import { DATABASES } from '../support/databases.ts';

for (const kind of DATABASES) describeDatabase(kind);
