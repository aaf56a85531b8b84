import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import type { UploadRow } from '../../db/schema.ts';
import * as rows from '../../db/uploads.ts';
import { FsError } from '../../errors.ts';
import type { PartialFile } from '../../tree/staging.ts';
import { homeOf } from '../account.ts';
import type { UploadParts } from './upload-parts.ts';
import { accountOfUpload, noUpload } from './upload-rows.ts';
import type { UploadTurn } from './upload-turns.ts';
import type { Checksum, UploadPart } from './upload-types.ts';

const KEPT_MS = 24 * 3_600_000;
// A client that is there finishes at once; the sweeper comes after it.
const SETTLE_AFTER_MS = 10_000;

/** When an upload goes whose last byte came now. */
export function expiryOf(now: Date): number {
  return now.getTime() + KEPT_MS;
}

export async function partialOf({ root }: Pick<UploadParts, 'root'>, row: UploadRow): Promise<PartialFile> {
  return (await root.open(homeOf(accountOfUpload(row)))).staging.partial(row.id);
}

/** The row made true to the disk: bytes that nobody was told of are forgotten. Only for whoever has its turn. */
export async function trim(parts: UploadParts, turn: UploadTurn, row: UploadRow): Promise<UploadRow> {
  const partial = await partialOf(parts, row);
  await turn.insist();
  const received = await partial.cut(row.received);
  // Without durability, a power cut may have taken what was promised.
  if (received !== row.received) await rows.updateUpload(parts.db, row.id, { received });
  return { ...row, received };
}

/** Appends to an open upload as `Uploads.append` says, but for the placing. Only for whoever has its turn. */
export async function take(
  parts: UploadParts,
  turn: UploadTurn,
  row: UploadRow,
  { offset, body, checksum }: UploadPart,
): Promise<UploadRow> {
  if (offset !== row.received) throw elsewhere(row.received, offset);
  const partial = await partialOf(parts, row);
  const record = (received: number) => recordReceived(parts, turn, row, received);
  const check = checksum === null ? null : new Checking(checksum);
  const stop = () => body.destroy(interrupted());
  turn.signal.addEventListener('abort', stop, { once: true });
  try {
    const received = await partial.append(check?.through(body) ?? body, {
      at: offset,
      maxBytes: row.length,
      beforeChange: turn.insist,
      // Of a part with a checksum nothing counts before its last byte was seen.
      ...(check === null ? { onFlushed: async (total) => void (await record(total)) } : {}),
    });
    check?.demand();
    return await record(received);
  } catch (error) {
    await keepWhatCame(partial, turn, check === null ? Number.POSITIVE_INFINITY : offset, record);
    throw error;
  } finally {
    turn.signal.removeEventListener('abort', stop);
  }
}

/** Never throws: what is not recorded is forgotten when the upload goes on. */
async function keepWhatCame(
  partial: PartialFile,
  turn: UploadTurn,
  bytes: number,
  record: (received: number) => Promise<unknown>,
): Promise<void> {
  try {
    await turn.insist();
    await record(await partial.cut(bytes));
  } catch {
    // The error that ended the body is what its client is told.
  }
}

async function recordReceived(
  { db, clock }: UploadParts,
  turn: UploadTurn,
  row: UploadRow,
  received: number,
): Promise<UploadRow> {
  await turn.check();
  const now = clock();
  const whole = { status: 'whole', settle_at: now.getTime() + SETTLE_AFTER_MS } as const;
  const changes = { received, expires_at: expiryOf(now), ...(received === row.length ? whole : {}) };
  if (!(await rows.updateUpload(db, row.id, changes))) throw noUpload();
  return { ...row, ...changes };
}

/** A checksum that is taken while a body passes. */
class Checking {
  readonly #checksum: Checksum;
  readonly #hash: Hash;

  constructor(checksum: Checksum) {
    this.#checksum = checksum;
    this.#hash = createHash(checksum.algorithm);
  }

  through(body: Readable): Readable {
    const hash = this.#hash;
    const passed = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of body.iterator({ destroyOnReturn: false })) {
        hash.update(chunk);
        yield chunk;
      }
    };
    return Readable.from(passed(), { objectMode: false });
  }

  demand(): void {
    const { algorithm, digest } = this.#checksum;
    const found = this.#hash.digest();
    if (found.length === digest.length && timingSafeEqual(found, digest)) return;
    throw new FsError(
      'checksum_mismatch',
      `the ${algorithm} of what arrived is not the one that was sent with it; nothing of this part was kept, send it again`,
    );
  }
}

/** An upload goes on at one place only. */
export function elsewhere(received: number, offset: number): FsError {
  return new FsError('conflict', `the upload goes on at byte ${received}, not at ${offset}; ask where it stands first`);
}

function interrupted(): FsError {
  return new FsError('conflict', 'another request took over this upload; what came before was kept');
}
