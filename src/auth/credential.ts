import { FsError } from '../errors.ts';

/** Node's `headers` or `headersDistinct`; the second also shows a header that was sent twice. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const BEARER = /^bearer +([^\s]+) *$/i;
const KEY_HEADERS = ['x-api-key', 'x-sapiom-api-key'] as const;

/**
 * The one credential a request presents: `Authorization: Bearer …`, `X-API-Key` or `X-Sapiom-Api-Key`.
 * @throws unauthenticated where there is none, another scheme than Bearer, or two that differ: which of them a proxy in
 *   front had checked is not known here.
 */
export function credentialOf(headers: Headers): string {
  const presented = new Set([
    ...valuesOf(headers, 'authorization').map(bearerToken),
    ...KEY_HEADERS.flatMap((name) => valuesOf(headers, name)).map((value) => value.trim()),
  ]);
  const [credential, other] = presented;
  if (credential === undefined || credential === '') {
    throw new FsError(
      'unauthenticated',
      'this call needs a credential: send "Authorization: Bearer <token or API key>"',
    );
  }
  if (other !== undefined) {
    throw new FsError('unauthenticated', 'the request carries two different credentials: send one');
  }
  return credential;
}

function valuesOf(headers: Headers, name: string): readonly string[] {
  const value = headers[name];
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

function bearerToken(header: string): string {
  const token = BEARER.exec(header)?.[1];
  if (token === undefined) {
    throw new FsError('unauthenticated', 'the Authorization header must be "Bearer <token or API key>"');
  }
  return token;
}
