import type { Expected } from '../../core/core.ts';
import type { Entry } from '../../tree/entry.ts';
import type { Conditions } from '../call.ts';

/** What `If-Match` and `If-None-Match: *` demand of the path a call writes or deletes. */
export function expectedBy(conditions: Conditions): Expected {
  if (conditions.ifMatch === null) return conditions.ifNoneMatchAny ? { absent: true } : null;
  // Both at once ask for something and nothing there: no version satisfies that, so the write is refused with 412.
  return { versions: conditions.ifNoneMatchAny ? [] : conditions.ifMatch };
}

/** The strong entity tag of a file, quoted as headers have it. */
export function etagOf(entry: Entry): string {
  return `"${entry.version}"`;
}
