import { z } from 'zod';

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** How many seconds `90`, `30s`, `15m`, `12h` or `7d` are; null for every other text. */
export function parseDuration(text: string): number | null {
  const [, digits, unit = ''] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  return digits === undefined ? null : Number(digits) * (SECONDS[unit] ?? 0);
}

/** A time of 1 to `maxSeconds`, as a number of seconds or as `parseDuration` takes it; becomes seconds. */
export function duration(maxSeconds: number) {
  const error = `it is a time such as 30m, 12h or 7d, or seconds: 1 to ${maxSeconds}`;
  return z
    .union([z.number(), z.string()], { error })
    .transform((wanted) => (typeof wanted === 'number' ? wanted : (parseDuration(wanted) ?? 0)))
    .refine((wanted) => Number.isInteger(wanted) && wanted >= 1 && wanted <= maxSeconds, { error })
    .meta({ example: '7d' });
}
