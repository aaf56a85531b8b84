import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import type { Clock } from '../../clock.ts';
import type { Database } from '../../db/schema.ts';
import { findText, type KeptText, keepText, type TextKey } from '../../db/texts.ts';
import type { DocumentFormat } from '../../documents/format.ts';
import { formatOfType, READING_VERSION } from '../../documents/formats.ts';
import { headBytes, readPlain } from '../../documents/plain.ts';
import { TextOutput } from '../../documents/text-output.ts';
import { FsError } from '../../errors.ts';
import type { TenantId } from '../../ids.ts';
import type { Log } from '../../log.ts';
import type { OpenFile } from '../../tree/tree.ts';
import type { FileObject } from '../objects/object-types.ts';
import type { InnerObjects } from '../objects/objects.ts';
import { type TurnLimits, Turns } from '../turns.ts';
import type { Extraction } from './extractor.ts';
import { openKeptExtractor } from './kept-extractor.ts';
import type { TextLimits, Texts } from './text-types.ts';

export interface TextParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly objects: Pick<InnerObjects, 'get' | 'openContent'>;
  readonly limits?: Partial<TextLimits>;
}

export interface InnerTexts extends Texts {
  /** Ends what is under way. */
  close(): Promise<void>;
}

const MEBIBYTE = 1024 * 1024;
/** What a document may take. */
export const TEXT_LIMITS: TextLimits = {
  maxBytes: 64 * MEBIBYTE,
  maxTextBytes: MEBIBYTE,
  readMs: 7000,
  timeMs: 10_000,
  heapMiB: 192,
  memoryMiB: 320,
  waitMs: 5000,
};
const MIN_PROCESSES = 2;
const MAX_PROCESSES = 4;
const TURNS: Omit<TurnLimits, 'atOnce'> = {
  what: 'documents',
  perTenant: 1,
  waiting: { atOnce: 256, perTenant: 64 },
  retryAfterSeconds: 2,
};
/** What was too costly may have been so because the machine was busy: after an hour it is tried again. */
const COSTLY_MS = 3_600_000;

const inflate = promisify(inflateRaw);

/** Texts of documents, read in processes that are kept within limits; what was read once is kept with the content. */
export function openTexts(parts: TextParts): InnerTexts {
  const limits = { ...TEXT_LIMITS, ...parts.limits };
  const extractor = openKeptExtractor(limits);
  const atOnce = Math.min(MAX_PROCESSES, Math.max(MIN_PROCESSES, availableParallelism()));
  const turns = new Turns({ ...TURNS, atOnce });
  /** By tenant, content and format. */
  const underWay = new Map<string, Promise<Uint8Array | null>>();

  /** Null where too many wait, or for too long. */
  async function inTurn<T>(tenant: TenantId, work: () => Promise<T>): Promise<T | null> {
    const end = await turns.take(tenant, AbortSignal.timeout(limits.waitMs)).catch(nullIfBusy);
    if (end === null) return null;
    try {
      return await work();
    } finally {
      end();
    }
  }

  async function extract(object: FileObject, format: DocumentFormat, key: TextKey): Promise<Uint8Array | null> {
    const tenant = key.tenant as TenantId;
    const extraction = await inTurn(tenant, async () => {
      const file = await parts.objects.openContent(tenant, object);
      return extractor.extract(format, object.size, file.stream());
    });
    if (extraction === null) return null;
    if (extraction.kind === 'failed') {
      parts.log.warn({ tenant, object: object.id, how: extraction.how }, 'a process that reads documents failed');
      return null;
    }
    const { text, reason } = outcomeOf(extraction);
    await keepText(parts.db, key, { text, reason, read_at: parts.clock().getTime() });
    return text;
  }

  /** Those who ask for the same at once share one reading. */
  function shared(object: FileObject, format: DocumentFormat, key: TextKey): Promise<Uint8Array | null> {
    const name = JSON.stringify([key.tenant, key.sha256, key.format]);
    const found = underWay.get(name);
    if (found !== undefined) return found;
    const reading = extract(object, format, key).finally(() => underWay.delete(name));
    underWay.set(name, reading);
    return reading;
  }

  return {
    async of(grant, id) {
      const object = await parts.objects.get(grant, id);
      const { tenant } = grant;
      const { sha256, size, mimeType } = object;
      const format = formatOfType(mimeType);
      if (format === null || size === 0) return null;
      if (format.isPlain) return plainText(await parts.objects.openContent(tenant, object), limits);
      if (size > limits.maxBytes) return null;
      const key = { tenant, sha256, format: format.name, version: READING_VERSION };
      const kept = await findText(parts.db, key);
      if (kept !== null && isSettled(kept, parts.clock())) return textOf(kept.text, limits);
      return textOf((await shared(object, format, key)) ?? kept?.text ?? null, limits);
    },
    close: extractor.close,
  };
}

function outcomeOf(extraction: Exclude<Extraction, { kind: 'failed' }>): Pick<KeptText, 'text' | 'reason'> {
  if (extraction.kind === 'none') return { text: null, reason: extraction.reason };
  return { text: extraction.deflated, reason: extraction.isWhole ? null : 'costly' };
}

/** False where another reading may say more. */
function isSettled({ reason, read_at }: KeptText, now: Date): boolean {
  return reason !== 'costly' || now.getTime() < read_at + COSTLY_MS;
}

/** Reads as much of the file as matters, and closes it. */
async function plainText(file: OpenFile, limits: TextLimits): Promise<string | null> {
  let head: Buffer;
  try {
    head = await file.slice(0, Math.min(file.entry.size, headBytes(limits.maxTextBytes)));
  } finally {
    await file.close();
  }
  const output = new TextOutput(limits.maxTextBytes);
  try {
    readPlain(head, output);
  } catch {
    // Not text: bytes of another kind under the name of one.
    return null;
  }
  return nullIfBlank(output.text());
}

async function textOf(deflated: Uint8Array | null, { maxTextBytes }: TextLimits): Promise<string | null> {
  if (deflated === null) return null;
  return nullIfBlank((await inflate(deflated, { maxOutputLength: maxTextBytes })).toString());
}

function nullIfBlank(text: string): string | null {
  return text.trim() === '' ? null : text;
}

/** For one that was turned away, or waited too long. */
function nullIfBusy(error: unknown): null {
  if (error instanceof FsError && (error.code === 'rate_limited' || error.code === 'unavailable')) return null;
  if (error instanceof DOMException && error.name === 'TimeoutError') return null;
  throw error;
}
