import { createPublicKey, type KeyObject } from 'node:crypto';
import { JwksClient } from 'jwks-rsa';
import type { Clock } from '../clock.ts';
import { FsError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Algorithm, algorithmOf } from './algorithm.ts';

/** How long a fetched key set is used before it is fetched again. */
export const KEY_SET_SECONDS = 600;

// While the issuer cannot be reached, its last keys are good for this long.
const STALE_SECONDS = 3600;
// A key id nobody knows makes a fetch at most this often, so strangers cannot turn the daemon against its issuer.
const COOLDOWN_SECONDS = 30;
const FETCH_TIMEOUT_MS = 5000;
const MAX_SET_BYTES = 1024 * 1024;

export interface KeySet {
  /**
   * The key with this id and algorithm; without an id, the only key of that algorithm.
   * @throws unauthenticated where there is none, unavailable where the set was never fetched or is too old
   */
  find(algorithm: Algorithm, keyId: string | null): Promise<KeyObject>;
}

interface Key {
  readonly id: string | null;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

interface Fetched {
  readonly keys: readonly Key[];
  readonly at: number;
}

/** The public keys an issuer publishes at a JWKS URL, fetched when first needed. */
export function openKeySet(url: string, clock: Clock, log: Log): KeySet {
  // Caching and limits are ours: jwks-rsa counts fetches for unknown ids against those that known ones need
  const client = new JwksClient({ jwksUri: url, cache: false, rateLimit: false, fetcher: fetchKeySet });
  let last: Fetched | null = null;
  let triedAt = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | null = null;

  async function fetchKeys(): Promise<void> {
    triedAt = seconds(clock);
    try {
      const published = await client.getSigningKeys();
      last = { keys: published.flatMap(usable), at: seconds(clock) };
    } catch (error) {
      log.warn({ err: error }, 'the keys of the JWT issuer could not be fetched');
    }
    fetching = null;
  }

  return {
    async find(algorithm, keyId) {
      const age = seconds(clock) - (last?.at ?? Number.NEGATIVE_INFINITY);
      const mayTry = fetching !== null || seconds(clock) - triedAt >= COOLDOWN_SECONDS;
      const missing = last === null || match(last.keys, algorithm, keyId) === undefined;
      if (mayTry && (missing || age >= KEY_SET_SECONDS)) {
        fetching ??= fetchKeys();
        await fetching;
      }
      if (last === null || seconds(clock) - last.at >= KEY_SET_SECONDS + STALE_SECONDS) {
        throw new FsError('unavailable', 'the keys of the token issuer cannot be fetched; try again later', {
          retryAfterSeconds: COOLDOWN_SECONDS,
        });
      }
      const found = match(last.keys, algorithm, keyId);
      if (found === undefined) throw new FsError('unauthenticated', 'the token is not valid: its key is not known');
      return found.key;
    },
  };
}

function seconds(clock: Clock): number {
  return clock().getTime() / 1000;
}

function match(keys: readonly Key[], algorithm: Algorithm, keyId: string | null): Key | undefined {
  const suited = keys.filter((key) => key.algorithm === algorithm);
  if (keyId === null) return suited.length === 1 ? suited[0] : undefined;
  return suited.find((key) => key.id === keyId);
}

function usable(published: { readonly kid?: string; readonly alg?: string; getPublicKey(): string }): Key[] {
  const key = createPublicKey(published.getPublicKey());
  const algorithm = algorithmOf(key);
  if (algorithm === null || (published.alg !== undefined && published.alg !== algorithm)) return [];
  return [{ id: published.kid ?? null, algorithm, key }];
}

/** Bounded in time and size, and never led elsewhere by a redirect. */
async function fetchKeySet(url: string): Promise<{ keys: unknown }> {
  const response = await fetch(url, {
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (!response.ok || response.body === null) throw new Error(`the JWKS URL answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > MAX_SET_BYTES) throw new Error('the key set is larger than 1 MiB');
    chunks.push(chunk);
  }
  const set: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : null;
  if (!Array.isArray(keys)) throw new Error('the JWKS URL answered something that is no key set');
  return { keys: keys.filter((key) => typeof key === 'object' && key !== null) };
}
