import { withdrawPostgres } from './postgres-server.ts';

/** Once per test run, after the last test file. */
export default async function tearDown(): Promise<void> {
  await withdrawPostgres();
}
