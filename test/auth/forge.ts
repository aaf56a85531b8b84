import { createHmac, createSign, createVerify, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** A fixed now, so that tokens of the tests neither age nor depend on the machine. */
export const NOW = new Date('2026-01-15T12:00:00Z');

export const SECRET = 'a secret for tests only: 0123456789abcdef';

export interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function rsaPair(modulusLength = 2048): Pair {
  return generateKeyPairSync('rsa', { modulusLength });
}

export function ecPair(namedCurve = 'P-256'): Pair {
  return generateKeyPairSync('ec', { namedCurve });
}

export function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

/** Seconds since the epoch, `offset` seconds from now. */
export function at(offset: number): number {
  return Math.floor(NOW.getTime() / 1000) + offset;
}

/** Claims of a good token; each test changes what it is about. */
export function claims(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { sub: 'ann', tenant: 'acme', exp: at(3600), ...change };
}

type Header = Readonly<Record<string, unknown>>;

/** A token put together by hand, as an attacker would: whatever the libraries refuse to make. */
export function forge(header: Header, payload: unknown, sign: (text: string) => string): string {
  const text = `${encode({ typ: 'JWT', ...header })}.${encode(payload)}`;
  return `${text}.${sign(text)}`;
}

export function hs256(payload: unknown, secret: string = SECRET, header: Header = {}): string {
  return forge({ alg: 'HS256', ...header }, payload, (text) =>
    createHmac('sha256', secret).update(text).digest('base64url'),
  );
}

export function rs256(payload: unknown, key: KeyObject, header: Header = {}): string {
  return forge({ alg: 'RS256', ...header }, payload, (text) =>
    createSign('sha256').update(text).sign(key).toString('base64url'),
  );
}

export function es256(payload: unknown, key: KeyObject, header: Header = {}): string {
  return forge({ alg: 'ES256', ...header }, payload, (text) =>
    createSign('sha256').update(text).sign({ key, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
  );
}

/**
 * The check that the attacks are made for: it does what the token's own header says, with whatever key `keyOf` finds
 * for that header. @throws where even this one refuses
 */
export function careless(token: string, keyOf: (header: Header) => string | KeyObject): unknown {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const decoded: Header = JSON.parse(Buffer.from(header, 'base64url').toString());
  const [text, key] = [`${header}.${payload}`, keyOf(decoded)];
  const genuine =
    decoded.alg === 'HS256'
      ? createHmac('sha256', key).update(text).digest('base64url') === signature
      : decoded.alg === 'RS256'
        ? createVerify('sha256').update(text).verify(key, signature, 'base64url')
        : String(decoded.alg).toLowerCase() === 'none';
  if (!genuine) throw new Error('not even a careless check takes this token');
  return JSON.parse(Buffer.from(payload, 'base64url').toString());
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
