import { FsError } from '../../errors.ts';
import { pathFromBytes, type TreePath } from '../../tree/path.ts';

export type ContentEncoding = 'utf-8' | 'base64';

/** The bytes that `content` of a JSON body stands for. @throws invalid_request where it is not what `encoding` says */
export function decodeContent(content: string, encoding: ContentEncoding): Buffer {
  if (encoding === 'base64') return decodeBase64(content, 'content');
  if (!content.isWellFormed()) {
    throw new FsError('invalid_request', 'content holds half a surrogate pair, which is no text; send it as base64');
  }
  return Buffer.from(content, 'utf8');
}

/**
 * Strict base64 (RFC 4648 section 4, padded): what is not all base64 is refused, never silently cut.
 * @throws invalid_request naming `what`
 */
export function decodeBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  // Node skips what is not base64, so fewer bytes than the length promises mean that something was skipped.
  const whole = text.length % 4 === 0 && bytes.length === (text.length / 4) * 3 - padding;
  if (!whole || text.includes('-') || text.includes('_')) {
    throw new FsError(
      'invalid_request',
      `${what} is not base64: use the standard alphabet with padding and no line breaks`,
    );
  }
  return bytes;
}

/** The path that `path_b64` or `source_b64` stands for; it need not be UTF-8. @throws invalid_request, invalid_path */
export function pathFromBase64(text: string, what: string): TreePath {
  return pathFromBytes(decodeBase64(text, what));
}
