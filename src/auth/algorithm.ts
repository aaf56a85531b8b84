import type { KeyObject } from 'node:crypto';

/** What tokens may be signed with; which of them counts depends on the key that is configured, never on the token. */
export type Algorithm = 'HS256' | 'RS256' | 'ES256';

const MIN_RSA_BITS = 2048;

/** The one algorithm a public key verifies here; null for a kind or size of key that is not taken. */
export function algorithmOf(key: KeyObject): 'RS256' | 'ES256' | null {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') return (modulusLength ?? 0) >= MIN_RSA_BITS ? 'RS256' : null;
  return key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1' ? 'ES256' : null;
}
