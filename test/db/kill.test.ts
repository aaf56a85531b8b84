import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { openDatabase } from '../../src/db/drivers.ts';
import { DATABASES } from '../support/databases.ts';

const DRIVERS = new URL('../../src/db/drivers.ts', import.meta.url).href;
const KILL_AFTER = 200;

/** Writes for ever with 16 writers, and says the id of each row once it is reported done. */
const writer = (url: string) => `
  import { openDatabase } from ${JSON.stringify(DRIVERS)};
  const { db } = await openDatabase(${JSON.stringify(url)});
  for (let n = 0; n < 16; n += 1) write(n);
  async function write(n) {
    for (let m = 0; ; m += 1) {
      const id = n + '-' + m;
      await db.transaction().execute(async (tx) => {
        await tx.insertInto('tenants').values({ id, status: 'active', created_at: 1 }).execute();
        await tx.insertInto('tenants').values({ id: id + '-pair', status: 'active', created_at: 1 }).execute();
      });
      process.stdout.write(id + '\\n');
    }
  }
`;

for (const kind of DATABASES) {
  describe(`a process killed while it writes to ${kind.name}`, () => {
    it('leaves everything it was told is done, and no half of a transaction', async () => {
      const database = await kind.create();
      const child = spawn(process.execPath, ['--input-type=module', '--eval', writer(database.url)]);
      const exited = once(child, 'exit');
      const done: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        done.push(line);
        if (done.length === KILL_AFTER) child.kill('SIGKILL');
      }
      await exited;
      const opened = await openDatabase(database.url);
      const rows = await opened.db.selectFrom('tenants').select('id').execute();
      const kept = new Set(rows.map(({ id }) => id));
      expect(done.length).toBeGreaterThanOrEqual(KILL_AFTER);
      // The last line may be cut in two by the kill.
      for (const id of done.slice(0, -1)) expect(kept).toContain(id);
      for (const id of kept) expect(kept).toContain(id.endsWith('-pair') ? id.slice(0, -5) : `${id}-pair`);
      await opened.close();
      await database.drop();
    });
  });
}
