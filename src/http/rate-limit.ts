import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { FsError } from '../errors.ts';

const WINDOW_SECONDS = 60;

/** What one request took of its credential's allowance. */
export interface Taken {
  /** `RateLimit` fields of the answer, in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The error to answer with, or null while there is some left. */
  readonly refused: FsError | null;
}

export interface RateLimit {
  take(credential: string): Promise<Taken>;
}

/** So many requests per minute for each credential, counted by this process. */
export function openRateLimit(perMinute: number): RateLimit {
  const limiter = new RateLimiterMemory({ points: perMinute, duration: WINDOW_SECONDS });
  return {
    async take(credential) {
      const { left, seconds } = await countOf(limiter, credential);
      const headers = {
        'ratelimit-policy': `"default";q=${perMinute};w=${WINDOW_SECONDS}`,
        ratelimit: `"default";r=${Math.max(0, left)};t=${seconds}`,
        'ratelimit-limit': String(perMinute),
        'ratelimit-remaining': String(Math.max(0, left)),
        'ratelimit-reset': String(seconds),
      };
      if (left >= 0) return { headers, refused: null };
      const sentence = `this credential may make ${perMinute} requests a minute; try again in ${seconds} s`;
      return {
        headers,
        refused: new FsError('rate_limited', sentence, { limit: perMinute, retryAfterSeconds: seconds }),
      };
    },
  };
}

async function countOf(limiter: RateLimiterMemory, key: string): Promise<{ left: number; seconds: number }> {
  const result = await limiter.consume(key).catch((refusal: unknown) => {
    if (refusal instanceof RateLimiterRes) return refusal;
    throw refusal;
  });
  const isOver = result.consumedPoints > limiter.points;
  const seconds = Math.max(1, Math.ceil(result.msBeforeNext / 1000));
  return { left: isOver ? -1 : result.remainingPoints, seconds };
}
