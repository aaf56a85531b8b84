import { offerPostgres } from './postgres-server.ts';

/** Once per test run, before any test file. */
export default async function setUp(): Promise<void> {
  const wanted = process.env.DATABASES;
  if (wanted !== undefined && !wanted.split(',').includes('postgres')) return;
  await offerPostgres();
}
