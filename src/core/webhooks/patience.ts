/** How a pause grows with every failure: doubled each time, up to a bound. In milliseconds. */
export interface Growing {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Between two attempts on one event. It is also how long an event waits, at most, once its receiver is back. */
export const EVENT_PAUSE: Growing = { firstMs: 5000, mostMs: 15 * 60_000 };
/** In which a webhook that failed is sent nothing at all, so that a dead receiver costs an attempt now and then. */
export const WEBHOOK_PAUSE: Growing = { firstMs: 1000, mostMs: 5 * 60_000 };
/** How long an event is tried. */
export const PATIENCE_MS = 24 * 3_600_000;

/**
 * The pause after so many failures in a row.
 * @param chance from 0 to 1: between half of the pause and the whole, so that what failed together does not come back together
 */
export function pauseMs({ firstMs, mostMs }: Growing, failures: number, chance: number): number {
  const whole = Math.min(mostMs, firstMs * 2 ** Math.max(0, failures - 1));
  return Math.round((whole * (1 + chance)) / 2);
}
