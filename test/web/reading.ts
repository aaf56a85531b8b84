import { FsError } from '../../src/errors.ts';
import { openWeb, type WebOptions } from '../../src/web/web.ts';
import { failure } from '../support/core.ts';

/** Of a caller who never goes away. */
export const patient = new AbortController().signal;

/** The text of a file of the web. */
export function read(options: WebOptions, url: string, signal = patient): Promise<string> {
  return openWeb(options).get(url, signal, async ({ body }) => Buffer.concat(await body.toArray()).toString());
}

/** The code and the sentence that a URL is refused with. */
export async function refused(options: WebOptions, url: string): Promise<string> {
  const error = await failure(read(options, url));
  if (!(error instanceof FsError)) throw error;
  return `${error.code}: ${error.message}`;
}
