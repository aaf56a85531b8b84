import { z } from 'zod';
import { parseDuration } from '../../durations.ts';

/** A time of 1 to `maxSeconds`, as a number of seconds or as `parseDuration` takes it; becomes seconds. */
export function duration(maxSeconds: number) {
  const error = `it is a time such as 30m, 12h or 7d, or seconds: 1 to ${maxSeconds}`;
  return z
    .union([z.number(), z.string()], { error })
    .transform((wanted) => (typeof wanted === 'number' ? wanted : (parseDuration(wanted) ?? 0)))
    .refine((wanted) => Number.isInteger(wanted) && wanted >= 1 && wanted <= maxSeconds, { error })
    .meta({ example: '7d' });
}
