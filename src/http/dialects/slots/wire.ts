import { z } from 'zod';
import type { Slot, SlotDelivery, SlotPage, Visibility } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { queryInteger } from '../../decode.ts';
import { expiresAfter } from '../../verbs/file-fields.ts';
import { fileName, timestamp } from '../../verbs/shapes.ts';

const MAX_TYPE_CHARACTERS = 255;
const MAX_OFFSET = 100_000;
const STATUSES = ['pending_upload', 'uploaded', 'error_state', 'deleted'] as const satisfies readonly Slot['status'][];
const VISIBILITIES = ['private', 'public'] as const satisfies readonly Visibility[];

// RFC 9110 8.3.1: tokens, and parameters that are tokens or quoted.
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = '"(?:[\\t !#-\\[\\]-~]|\\\\[\\t -~])*"';
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?:[ \\t]*;[ \\t]*${TOKEN}=(?:${TOKEN}|${QUOTED}))*$`);

/** The header that bounds an upload, as `0,<most bytes>`. Its name is the one that this API's clients know. */
const LENGTH_RANGE = 'x-goog-content-length-range';

const visibility = z
  .enum(VISIBILITIES)
  .describe('`public`: any tenant’s credential gets download URLs. Never anonymous.');

// slots.md: sizes are strings, the values are 64-bit. Numbers are taken too.
const size = z
  .union([z.string().regex(/^\d{1,19}$/, { error: 'it is a whole number of bytes' }), z.number().int().min(0)])
  .transform(Number)
  .meta({ type: 'string', pattern: '^\\d{1,19}$', example: '1048576' });

export const createBody = z.object({
  content_type: z
    .string()
    .max(MAX_TYPE_CHARACTERS)
    .regex(MEDIA_TYPE, { error: 'it is a media type such as video/mp4' })
    .describe('What the upload will be: its Content-Type must be exactly this.')
    .meta({ example: 'video/mp4' }),
  file_name: fileName.meta({ example: 'clip.mp4' }).nullish(),
  visibility: visibility.default('private'),
  expected_file_size: size.nullish().describe('In bytes: reserved at once, and demanded of the upload.'),
  file_size: size.nullish().describe('Another name of `expected_file_size`.'),
  expires_after: expiresAfter.nullable(),
});
export type CreateBody = z.infer<typeof createBody>;

export const updateBody = z.object({ visibility });

export const listQuery = z.object({
  limit: queryInteger(1, 100).default(50),
  offset: queryInteger(0, MAX_OFFSET).default(0),
});

const bytes = z.string().describe('Bytes, as a string: the values are 64-bit.').meta({ example: '1048576' });
const fileId = z.string().meta({ example: '0d9f3c1e-6a52-4a57-9c65-2f3f1c5b7a10' });

export const createReply = z.object({
  file_id: fileId,
  upload_url: z.string().describe('To be PUT to, as it is; it needs no credential.'),
  expires_at: timestamp,
  required_headers: z
    .record(z.string(), z.string())
    .describe('To be sent with the PUT, as they are.')
    .meta({ example: { 'content-type': 'video/mp4', [LENGTH_RANGE]: '0,5368709120' } }),
});

export const downloadReply = z.object({ download_url: z.string(), expires_at: timestamp });

export const record = z.object({
  file_id: fileId,
  file_name: z.string().nullable(),
  content_type: z.string(),
  visibility: z.enum(VISIBILITIES),
  status: z.enum(STATUSES),
  expected_file_size: bytes.nullable(),
  actual_file_size: bytes.nullable(),
  file_size: bytes.describe('The actual size, else the expected one, else "0".'),
  created_at: timestamp,
  uploaded_at: timestamp.nullable(),
  deleted_at: timestamp.nullable(),
  download_request_count: z.number().int(),
});

export const listReply = z.object({
  files: z.array(record),
  limit: z.number().int(),
  offset: z.number().int(),
  has_more: z.boolean(),
});

/** The expected size, by whichever of its two names. @throws invalid_request where they differ */
export function expectedBytes({ expected_file_size: expected, file_size: other }: CreateBody): number | null {
  if (expected != null && other != null && expected !== other) {
    throw new FsError('invalid_request', 'the fields "expected_file_size" and "file_size" differ; send one of them');
  }
  return expected ?? other ?? null;
}

/** What an upload must say of itself. */
export function requiredHeaders(contentType: string, maxBytes: number): Readonly<Record<string, string>> {
  return { 'content-type': contentType, [LENGTH_RANGE]: `0,${maxBytes}` };
}

/** What a Content-Range asks or says; null where there is none. A `*` as total is null. */
export type ContentRange =
  | { readonly asks: true; readonly total: number | null }
  | ({ readonly asks: false } & NonNullable<SlotDelivery['piece']>);

/** @throws invalid_request */
export function decodeContentRange(header: string | null): ContentRange | null {
  if (header === null) return null;
  const [, range = '', totalText = ''] = /^bytes (\*|\d{1,15}-\d{1,15})\/(\*|\d{1,15})$/i.exec(header.trim()) ?? [];
  const total = totalText === '*' ? null : Number(totalText);
  if (range === '*') return { asks: true, total };
  const [first = Number.NaN, last = Number.NaN] = range.split('-').map(Number);
  if (range !== '' && first <= last && (total === null || last < total)) return { asks: false, first, last, total };
  throw new FsError(
    'invalid_request',
    'Content-Range is "bytes */TOTAL" to ask how far the upload is, or "bytes FIRST-LAST/TOTAL" to go on with it',
  );
}

export function encodeSlot(slot: Slot): z.infer<typeof record> {
  const [expected, actual] = [slot.expectedBytes, slot.actualBytes].map((size) =>
    size === null ? null : String(size),
  );
  return {
    file_id: slot.id,
    file_name: slot.filename,
    content_type: slot.contentType,
    visibility: slot.visibility,
    status: slot.status,
    expected_file_size: expected ?? null,
    actual_file_size: actual ?? null,
    file_size: actual ?? expected ?? '0',
    created_at: slot.createdAt.toISOString(),
    uploaded_at: slot.uploadedAt?.toISOString() ?? null,
    deleted_at: slot.deletedAt?.toISOString() ?? null,
    download_request_count: slot.downloads,
  };
}

export function encodePage(page: SlotPage, query: z.infer<typeof listQuery>): z.infer<typeof listReply> {
  return { files: page.items.map(encodeSlot), limit: query.limit, offset: query.offset, has_more: page.hasMore };
}
