import { openDatabase } from '../../src/db/drivers.ts';
import { DATABASES } from '../support/databases.ts';

for (const kind of DATABASES) {
  describe(`openDatabase on ${kind.name}`, () => {
    it('opens and answers', async () => {
      const database = await kind.create();
      const opened = await openDatabase(database.url);
      await opened.ping();
      await opened.db
        .insertInto('tenants')
        .values({ id: 'a', status: 'active', created_at: 2 ** 45 })
        .execute();
      expect(await opened.db.selectFrom('tenants').selectAll().execute()).toEqual([
        { id: 'a', status: 'active', created_at: 2 ** 45 },
      ]);
      await opened.close();
      await database.drop();
    });
  });
}
