import { FsError } from '../../errors.ts';
import type { Day, Days } from './metering-types.ts';

/** How many days can be asked for at once, and how many are kept one by one. */
const MAX_DAYS = 400;

const USUAL_DAYS = 30;
const DAY_MS = 86_400_000;
const SHAPE = /^\d{4}-\d\d-\d\d$/;

export function dayOf(time: Date): Day {
  return dayOfMs(time.getTime());
}

/** @throws invalid_request unless it is a day of the calendar, as `2026-01-15` */
export function parseDay(text: string, what: string): Day {
  const ms = SHAPE.test(text) ? Date.parse(text) : Number.NaN;
  // Date.parse takes the 31st of February for the 3rd of March.
  if (!Number.isNaN(ms) && dayOfMs(ms) === text) return dayOfMs(ms);
  throw new FsError('invalid_request', `"${what}" is a day such as 2026-01-15`);
}

/** The first of the days that are kept one by one. */
export function firstKept(today: Day): Day {
  return addDays(today, 1 - MAX_DAYS);
}

/** The days that are meant where one end, or both, was left out. @throws invalid_request for none, and for days that are not kept */
export function demandDays({ from, to }: Partial<Days>, today: Day): Days {
  const last = to ?? today;
  const first = from ?? addDays(last, 1 - USUAL_DAYS);
  const count = (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
  if (count < 1) throw new FsError('invalid_request', `"from" (${first}) is after "to" (${last})`);
  if (count > MAX_DAYS) {
    throw new FsError('invalid_request', `${first} to ${last} are ${count} days; ask for ${MAX_DAYS} at most`);
  }
  if (first >= firstKept(today)) return { from: first, to: last };
  throw new FsError('invalid_request', `days before ${firstKept(today)} are not kept one by one; ${first} is one`);
}

/** Each day from the first to the last. */
export function eachDay({ from, to }: Days): readonly Day[] {
  const count = Math.max(0, (Date.parse(to) - Date.parse(from)) / DAY_MS + 1);
  return Array.from({ length: count }, (_, n) => addDays(from, n));
}

function addDays(day: Day, days: number): Day {
  return dayOfMs(Date.parse(day) + days * DAY_MS);
}

function dayOfMs(ms: number): Day {
  return new Date(ms).toISOString().slice(0, 10) as Day;
}
