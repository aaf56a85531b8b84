import { FsError } from '../errors.ts';
import { DOCX } from './docx.ts';
import type { DocumentFormat } from './format.ts';
import { HTML } from './html.ts';
import { PDF } from './pdf.ts';
import { PLAIN } from './plain.ts';
import { PPTX } from './pptx.ts';
import { XLSX } from './xlsx.ts';

/** Every format there is. */
export const DOCUMENT_FORMATS: readonly DocumentFormat[] = [PLAIN, HTML, PDF, DOCX, XLSX, PPTX];

/** Of the reading as a whole: goes up when a format gives another text for the same bytes, so that all are read again. */
export const READING_VERSION = 1;

/** The format of documents of a media type, whose parameters do not count; null where its files have no text. */
export function formatOfType(mediaType: string): DocumentFormat | null {
  const essence = mediaType.split(';', 1).join('').trim().toLowerCase();
  return DOCUMENT_FORMATS.find(({ mediaTypes }) => mediaTypes.includes(essence)) ?? null;
}

/** The format called so. @throws unsupported where none is */
export function documentFormat(name: string): DocumentFormat {
  const format = DOCUMENT_FORMATS.find((each) => each.name === name);
  if (format === undefined) throw new FsError('unsupported', `documents of format "${name}" are not read`);
  return format;
}
