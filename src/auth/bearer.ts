import { createHash, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { FsError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Algorithm, algorithmOf } from './algorithm.ts';
import { looksLikeApiKey } from './api-key.ts';
import { grantOfClaims } from './claims.ts';
import type { Grant } from './grant.ts';
import { KEY_SET_SECONDS, openKeySet } from './key-set.ts';

/**
 * Who may sign tokens. With a public key or a key set that is the issuer it belongs to and nobody else: the local
 * secret is not used then. At most one of `publicKey` (PEM) and `jwksUrl` is given.
 */
export interface JwtRules {
  readonly secret: string;
  readonly publicKey: string | null;
  readonly jwksUrl: string | null;
  /** `iss` and `aud` to demand, or null. */
  readonly issuer: string | null;
  readonly audience: string | null;
}

export interface Bearer {
  /**
   * The grant behind a JWT or an API key.
   * @throws unauthenticated; unavailable where the issuer's keys cannot be fetched
   */
  authenticate(credential: string): Promise<Grant>;
}

/** Chooses the key for a token. It decides by what is configured; the token's header can only fail to match. */
interface Signer {
  readonly algorithms: readonly Algorithm[];
  /** How long a verified token may be believed unchecked, besides its own `exp`. */
  readonly cacheSeconds: number;
  keyFor(algorithm: Algorithm, keyId: string | null): KeyObject | Promise<KeyObject>;
}

const MAX_TOKEN_BYTES = 8 * 1024;
const CLOCK_TOLERANCE_SECONDS = 5;
const CACHED_TOKENS = 10_000;

export interface BearerParts {
  readonly jwt: JwtRules;
  /** The grant of an API key that exists and is not revoked. */
  readonly keys: (secret: string) => Promise<Grant | null>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Verified tokens are kept by their sha256 until they expire (and no longer than the issuer's key set is trusted). */
export function openBearer({ jwt, keys, clock, log }: BearerParts): Bearer {
  const signer = openSigner(jwt, clock, log);
  const verified = new LRUCache<string, { readonly grant: Grant; readonly until: number }>({ max: CACHED_TOKENS });

  async function authenticateToken(token: string): Promise<Grant> {
    if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) throw notValid('it is longer than 8 KiB');
    const digest = createHash('sha256').update(token).digest('base64');
    const known = verified.get(digest);
    if (known !== undefined && clock().getTime() < known.until) return known.grant;
    verified.delete(digest);
    const grant = await verifyToken(token, jwt, signer, clock);
    const expiresAt = grant.expiresAt?.getTime() ?? 0;
    verified.set(digest, { grant, until: Math.min(expiresAt, clock().getTime() + signer.cacheSeconds * 1000) });
    return grant;
  }

  return {
    async authenticate(credential) {
      if (!looksLikeApiKey(credential)) return authenticateToken(credential);
      const grant = await keys(credential);
      if (grant === null) throw new FsError('unauthenticated', 'the API key is unknown or has been revoked');
      return grant;
    },
  };
}

/** True when tokens made with the local secret are taken, so that this daemon can issue its own. */
export function acceptsLocalTokens(jwt: Pick<JwtRules, 'publicKey' | 'jwksUrl'>): boolean {
  return jwt.publicKey === null && jwt.jwksUrl === null;
}

function openSigner(jwt: JwtRules, clock: Clock, log: Log): Signer {
  if (jwt.jwksUrl !== null) {
    const set = openKeySet(jwt.jwksUrl, clock, log);
    return { algorithms: ['RS256', 'ES256'], cacheSeconds: KEY_SET_SECONDS, keyFor: (alg, id) => set.find(alg, id) };
  }
  if (jwt.publicKey !== null) {
    const key = createPublicKey(jwt.publicKey);
    const algorithm = algorithmOf(key);
    if (algorithm === null) throw new FsError('invalid_request', 'the JWT public key is neither RSA nor EC P-256');
    return { algorithms: [algorithm], cacheSeconds: Number.POSITIVE_INFINITY, keyFor: () => key };
  }
  // A KeyObject of type secret: jsonwebtoken would first try to read plain text as a PEM
  const key = createSecretKey(jwt.secret, 'utf8');
  return { algorithms: ['HS256'], cacheSeconds: Number.POSITIVE_INFINITY, keyFor: () => key };
}

async function verifyToken(token: string, jwt: JwtRules, signer: Signer, clock: Clock): Promise<Grant> {
  const { algorithm, keyId } = headerOf(token, signer.algorithms);
  const key = await signer.keyFor(algorithm, keyId);
  const now = clock();
  return grantOfClaims(payloadOf(token, key, algorithm, jwt, now), now);
}

function payloadOf(token: string, key: KeyObject, algorithm: Algorithm, jwt: JwtRules, now: Date): unknown {
  try {
    return jsonwebtoken.verify(token, key, {
      algorithms: [algorithm],
      clockTimestamp: Math.floor(now.getTime() / 1000),
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      ...(jwt.issuer === null ? {} : { issuer: jwt.issuer }),
      ...(jwt.audience === null ? {} : { audience: jwt.audience }),
    });
  } catch (error) {
    throw notValid(reasonOf(error), error);
  }
}

/**
 * The algorithm and key id the token names. `jku`, `jwk`, `x5u` and `x5c` are not read: keys come from the settings.
 * @throws unauthenticated unless the algorithm is one of the fixed list
 */
function headerOf(token: string, allowed: readonly Algorithm[]): { algorithm: Algorithm; keyId: string | null } {
  const header = decodeHeader(token);
  const algorithm = allowed.find((one) => one === header.alg);
  if (algorithm === undefined) throw notValid(`it must be signed with ${allowed.join(' or ')}`);
  if (header.crit !== undefined) throw notValid('its header demands extensions ("crit") that are not known here');
  return { algorithm, keyId: typeof header.kid === 'string' ? header.kid : null };
}

function decodeHeader(token: string): Readonly<Record<string, unknown>> {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString('utf8'));
    if (typeof header === 'object' && header !== null) return { ...header };
  } catch {
    // no JSON: not a token at all
  }
  throw notValid('it is neither a JWT nor an API key');
}

function reasonOf(error: unknown): string {
  if (error instanceof jsonwebtoken.TokenExpiredError) return 'it has expired';
  if (error instanceof jsonwebtoken.NotBeforeError) return 'it is not valid yet';
  if (!(error instanceof Error)) return 'it cannot be read';
  if (error.message.startsWith('jwt issuer')) return 'its issuer ("iss") is not the one demanded';
  if (error.message.startsWith('jwt audience')) return 'its audience ("aud") is not the one demanded';
  return 'its signature does not verify';
}

function notValid(why: string, cause?: unknown): FsError {
  return new FsError('unauthenticated', `the token is not valid: ${why}`, {}, cause);
}
