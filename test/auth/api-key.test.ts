import { createHash } from 'node:crypto';
import { hashApiKey, looksLikeApiKey, makeApiKey } from '../../src/auth/api-key.ts';

describe('an API key', () => {
  it('names its id, and its hash does not give it away', () => {
    const { id, secret, hash } = makeApiKey();
    expect(secret).toMatch(new RegExp(`^wsk_${id}_[0-9a-f]{64}$`));
    expect(hash).toBe(createHash('sha256').update(secret).digest('hex'));
    expect(hash).toBe(hashApiKey(secret));
  });

  it('is never made twice', () => {
    const keys = Array.from({ length: 1000 }, makeApiKey);
    for (const field of ['id', 'secret', 'hash'] as const)
      expect(new Set(keys.map((key) => key[field])).size).toBe(1000);
  });

  it('is told from everything else by its form', () => {
    const { secret } = makeApiKey();
    expect(looksLikeApiKey(secret)).toBe(true);
    for (const text of ['', 'wsk_', secret.slice(1), `${secret}\n`, `${secret}0`, 'eyJhbGciOiJIUzI1NiJ9.e30.x']) {
      expect(looksLikeApiKey(text)).toBe(false);
    }
  });
});
