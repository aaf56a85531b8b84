import { errors } from 'undici';
import { FsError } from '../errors.ts';

/** What goes wrong between here and a server of the web, in words for whoever wanted something of it. */

const MAY_PASS: ReadonlySet<number> = new Set([408, 425, 429]);
// What a server sends that is no HTTP, or more of it than is taken.
const NO_HTTP = [errors.HTTPParserError, errors.HeadersOverflowError, errors.ResponseContentLengthMismatchError];
const TIMED_OUT = /^UND_ERR_\w+_TIMEOUT$|^ETIMEDOUT$/;
const CERTIFICATE = /CERT|SIGNATURE|ERR_TLS|EPROTO|^ERR_SSL/;

/** What was wanted of a server, in the words that complete "the connection to … " and "… " where it fails. */
export interface Errand {
  readonly broken: string;
  readonly slow: string;
}

/** To get a file. */
export const DOWNLOAD: Errand = {
  broken: 'failed before the whole file had come; try again',
  slow: 'took too long to send the whole file; a smaller one may do',
};
/** To post a message. */
export const MESSAGE: Errand = { broken: 'failed before there was an answer', slow: 'took too long to answer' };

/**
 * What a request or its body failed with. An error of ours stays as it is; so does the reason of somebody who gave up.
 * @returns unavailable where trying again may help, invalid_request where it will not
 */
export function failureOf(url: URL, error: unknown, signal: AbortSignal, what: Errand): unknown {
  if (error instanceof FsError) return error;
  if (signal.aborted) return isTimeout(signal.reason) ? tookTooLong(url, error, what) : signal.reason;
  const code = codeOf(error);
  if (CERTIFICATE.test(code)) {
    return new FsError(
      'invalid_request',
      `${url.host} could not prove to be itself: its certificate is not valid`,
      {},
      error,
    );
  }
  if (NO_HTTP.some((kind) => error instanceof kind)) {
    return new FsError(
      'invalid_request',
      `${url.host} answered something that is no HTTP, or far too much of it`,
      {},
      error,
    );
  }
  if (TIMED_OUT.test(code)) {
    return new FsError('unavailable', `${url.host} stopped answering; try again later`, {}, error);
  }
  return new FsError('unavailable', `the connection to ${url.host} ${what.broken}`, {}, error);
}

/** The error for an answer other than 200. */
export function strangeStatus(url: URL, status: number): FsError {
  const mayPass = status >= 500 || MAY_PASS.has(status);
  const advice = mayPass ? 'try again later' : 'check the url';
  return new FsError(mayPass ? 'unavailable' : 'invalid_request', `${url.host} answered ${status}, not 200; ${advice}`);
}

/** The error for a body that is compressed although none was asked for: it would be stored as what it is not. */
export function encoded(url: URL): FsError {
  return new FsError('invalid_request', `${url.host} sends the file encoded, and only what comes as it is is taken`);
}

function tookTooLong(url: URL, cause: unknown, what: Errand): FsError {
  return new FsError('unavailable', `${url.host} ${what.slow}`, {}, cause);
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : '';
}
