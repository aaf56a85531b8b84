import { z } from 'zod';
import type { FileObject } from '../../../core/core.ts';
import type { Form } from '../../call.ts';
import { validate } from '../../decode.ts';
import { expiresAfter } from '../../verbs/file-fields.ts';
import { partName } from '../../verbs/form-file.ts';
import { amount, fileName, filePart, timestamp } from '../../verbs/shapes.ts';

const id = z.string().meta({ example: 'file_0197a4c2f1d47e3c8f0b6f1e2d3c4b5a' });
const mimeType = z.string().meta({ example: 'image/png' });
const expiry = z.number().int().nullable().describe('Unix seconds.').meta({ example: 1_768_471_800 });
const extractedText = z
  .string()
  .nullable()
  .describe('The text of a document, where MEDIA_DOCUMENT_HANDLING is `extract` and it has some.');

const info = z.object({
  file_id: id,
  mime_type: mimeType,
  size_bytes: amount,
  filename: z.string().nullable(),
  extracted_text: extractedText,
  direct_url: z
    .string()
    .nullable()
    .describe('Works without a credential until it expires; null unless MEDIA_SIGNED_URLS is on.'),
  direct_url_expires_at: expiry,
});

const metadata = z.object({ request_id: z.string(), timestamp, message: z.string() });

const enveloped = <T extends z.ZodType>(data: T) => z.object({ data, metadata });

export const infoReply = enveloped(info);

export const uploadReply = enveloped(
  info.extend({ url: z.string().describe('Where the bytes are, for one who has a credential.') }),
);

export const urlReply = enveloped(z.object({ file_id: id, url: z.string(), expires_at: expiry, mime_type: mimeType }));

export const DOCUMENT_HANDLING = ['extract', 'raw'] as const;
export type DocumentHandling = (typeof DOCUMENT_HANDLING)[number];

export const configReply = enveloped(
  z.object({
    media_storage_type: z.literal('local'),
    media_storage_path: z.string().describe('A name, and no path of the machine.').meta({ example: 'objects' }),
    media_max_size_mb: z.number().describe('In MiB.').meta({ example: 10 }),
    document_handling: z.enum(DOCUMENT_HANDLING),
  }),
);

const named = z.object({ filename: fileName });

/** The name of the file that a part carries. @throws invalid_request for none, and for one that no file may have */
export function decodeName(sent: string): string {
  const filename = partName(sent) ?? '';
  validate(named, { filename }, 'field');
  return filename;
}

const retention = z.object({ expires_after: expiresAfter });

export const uploadForm = retention.extend({ file: filePart.describe('It may be called `upload` too.') });

/** How long the file is to be kept, in seconds; null: until somebody deletes it. An empty field is as if it were absent. @throws invalid_request */
export function decodeRetention({ fields }: Form): number | null {
  const { expires_after: text = '' } = fields;
  if (text === '') return null;
  const { expires_after: seconds } = validate(retention, { expires_after: text }, 'field') as z.infer<typeof retention>;
  return seconds ?? null;
}

/** A link that works without a credential. */
export interface DirectUrl {
  readonly url: string;
  readonly expiresAt: Date;
}

/** What is said of one file, but for `url`. */
export function encodeInfo(file: FileObject, text: string | null, direct: DirectUrl | null): z.infer<typeof info> {
  return {
    file_id: file.id,
    mime_type: file.mimeType,
    size_bytes: file.size,
    filename: file.filename,
    extracted_text: text,
    direct_url: direct?.url ?? null,
    direct_url_expires_at: direct === null ? null : unixSeconds(direct.expiresAt),
  };
}

/** Rounded down: nobody is promised more time than there is. */
export function unixSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}
