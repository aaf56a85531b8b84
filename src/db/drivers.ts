import { FsError } from '../errors.ts';
import type { OpenedDatabase, OpenedDriver, OpenOptions } from './driver.ts';
import { migrate } from './migrate.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';

export type { OpenedDatabase, OpenOptions } from './driver.ts';

interface DriverChoice {
  readonly scheme: RegExp;
  open(url: string, options: OpenOptions): Promise<OpenedDriver>;
}

const DRIVERS: readonly DriverChoice[] = [
  { scheme: /^sqlite:/, open: (url, options) => openSqlite(url.replace(/^sqlite:(\/\/(?=\/))?/, ''), options) },
  { scheme: /^postgres(ql)?:\/\//, open: openPostgres },
];

/**
 * Opens `sqlite:PATH`, `sqlite::memory:` or `postgres://…` and brings its schema up to this program's. Several processes
 * may do so at once. @throws invalid_request for another URL, unavailable where it cannot be reached or is newer
 */
export async function openDatabase(url: string, options: OpenOptions = {}): Promise<OpenedDatabase> {
  const choice = DRIVERS.find(({ scheme }) => scheme.test(url));
  if (choice === undefined) {
    throw new FsError('invalid_request', 'the database URL must begin with "sqlite:" or "postgres://"');
  }
  const opened = await choice.open(url, options);
  try {
    await migrate(opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
  return opened;
}
