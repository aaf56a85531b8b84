import { randomBytes, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, type FileHandle, link, mkdir, open, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SigningKey } from './auth/link.ts';
import { FsError, toFsError } from './errors.ts';
import type { Log } from './log.ts';
import { type Parser, secret, signingKeys } from './setting-parsers.ts';

export interface Secrets {
  readonly jwtSecret: string;
  readonly signingKeys: readonly SigningKey[];
}

const SECRET_BYTES = 48;
const MAX_FILE_BYTES = 64 * 1024;
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/**
 * The secrets of this data root: those the settings give, the others from `<dataDir>/secrets`, where each is made once.
 * Several processes may do this at the same time: all get the same. A file that others may read is tightened, with a
 * warning.
 * @throws invalid_request where a kept secret cannot be used
 */
export async function openSecrets(
  dataDir: string,
  given: { readonly jwtSecret: string | null; readonly signingKeys: readonly SigningKey[] | null },
  log: Log,
): Promise<Secrets> {
  const kept = { directory: join(dataDir, 'secrets'), log };
  return {
    jwtSecret: given.jwtSecret ?? (await keep(kept, 'jwt-secret', secret, makeSecret)),
    signingKeys: given.signingKeys ?? (await keep(kept, 'signing-keys', signingKeys, () => `k1:${makeSecret()}`)),
  };
}

// SQLite gives its other files the mode of this one.
const SQLITE_FILE = /^sqlite:(?:\/\/(?=\/))?(?!:memory:)(.+)$/;

/**
 * Makes the data root, and the file of a SQLite database, where no daemon has run yet: for the daemon's user alone. What is
 * there already keeps its mode.
 */
export async function makeDataRoot(config: { readonly dataDir: string; readonly databaseUrl: string }): Promise<void> {
  await mkdir(config.dataDir, { recursive: true, mode: DIRECTORY_MODE }).catch((error: unknown) => {
    throw toFsError(error, 'the data root');
  });
  const [, file] = SQLITE_FILE.exec(config.databaseUrl) ?? [];
  if (file === undefined) return;
  const made = await open(file, 'a', FILE_MODE).catch(() => null); // the driver says what is wrong with it
  await made?.close();
}

interface Keeper {
  readonly directory: string;
  readonly log: Log;
}

function makeSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

async function keep<T>(keeper: Keeper, name: string, parser: Parser<T>, make: () => string): Promise<T> {
  const subject = `secrets/${name} in the data root`;
  try {
    await openDirectory(keeper);
    const text = (await read(keeper, name)) ?? (await create(keeper, name, make()));
    const value = parser.parse(text.trim());
    if (value === undefined)
      throw new FsError('invalid_request', `${subject} cannot be used; it must be ${parser.allowed}`);
    return value;
  } catch (error) {
    throw toFsError(error, subject);
  }
}

async function openDirectory({ directory, log }: Keeper): Promise<void> {
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  const { mode } = await stat(directory);
  if (isOpenToOthers(mode)) {
    await chmod(directory, DIRECTORY_MODE);
    log.warn('the directory of the secrets was open to other users; its mode is 0700 now');
  }
}

/** null where the file does not exist. */
async function read({ directory, log }: Keeper, name: string): Promise<string | null> {
  const file = await open(
    join(directory, name),
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  ).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  });
  if (file === null) return null;
  try {
    const { mode, size } = await file.stat();
    if (isOpenToOthers(mode)) {
      await file.chmod(FILE_MODE);
      log.warn(`secrets/${name} could be read by other users; its mode is 0600 now: if they did, replace it`);
    }
    // Bounded: a kept secret is a line, whatever else lies here
    return size > MAX_FILE_BYTES ? '' : await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Whole or not at all, and never over another's: `link` fails where another process came first; its text counts. */
async function create(keeper: Keeper, name: string, text: string): Promise<string> {
  const { directory } = keeper;
  const temporary = join(directory, `${name}.${randomUUID()}`);
  const file = await open(temporary, 'wx', FILE_MODE);
  try {
    await writeDurably(file, text);
    await link(temporary, join(directory, name));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  } finally {
    await unlink(temporary);
  }
  await flushDirectory(directory);
  await flushDirectory(dirname(directory));
  return (await read(keeper, name)) ?? '';
}

async function writeDurably(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isOpenToOthers(mode: number): boolean {
  return (mode & 0o077) !== 0;
}

function isErrno(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
