import { z } from 'zod';
import { queryLimit } from '../decode.ts';

/** The two query values that every paged list takes. */
export function pageQuery(byDefault: number, atMost: number) {
  return {
    limit: queryLimit(byDefault, atMost).describe('How many a page holds at most.'),
    cursor: z.string().min(1).optional().describe('The `next_cursor` of the page before.'),
  };
}

export const nextCursor = z
  .string()
  .optional()
  .describe('Present only when there is more: the `cursor` of the next page.');

export const timestamp = z.string().describe('ISO 8601, UTC.').meta({ example: '2026-01-15T09:30:00.000Z' });

export const success = z.object({ success: z.literal(true) });

/** A whole number of bytes or files. */
export const amount = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A user or session as a client names it. */
export const shortName = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => !/\p{Cc}/u.test(text), { error: 'it may not contain control characters' });

/** A part of a form that is a file, as the docs show it. */
export const filePart = z.string().meta({ format: 'binary' });

/** What a file by id may be called. */
export const fileName = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= 255 && text !== '', { error: 'it has 1 to 255 bytes' })
  .refine((text) => !/[/\\\p{Cc}]/u.test(text) && text !== '.' && text !== '..', {
    error: 'it is one plain name, without slashes, backslashes or control characters',
  })
  .meta({ example: 'report.pdf' });
