/** A stretch of an old content that a new one has something else for; byte offsets, the ends not included. */
export interface Splice {
  readonly oldStart: number;
  readonly oldEnd: number;
  readonly newStart: number;
  readonly newEnd: number;
}

/** The splices by which `count` stretches of `gone` bytes at these positions become `come` bytes each. */
export function splicesAt(positions: readonly number[], gone: number, come: number): readonly Splice[] {
  return positions.map((oldStart, n) => {
    const newStart = oldStart + n * (come - gone);
    return { oldStart, oldEnd: oldStart + gone, newStart, newEnd: newStart + come };
  });
}

/**
 * What `first` and then `second` come to: the splices from the content before both to that after both. Each list is in
 * order and without overlaps, and so is the result; stretches that touch become one.
 */
export function composed(first: readonly Splice[], second: readonly Splice[]): readonly Splice[] {
  const result: Splice[] = [];
  let [n, m] = [0, 0];
  // How far the content between the two lies behind the old one, and the new one behind that, after the splices seen so far
  let [shift, newShift] = [0, 0];
  while (n < first.length || m < second.length) {
    const start = Math.min(first[n]?.newStart ?? Infinity, second[m]?.oldStart ?? Infinity);
    const begun = { oldStart: start - shift, newStart: start + newShift };
    let end = start;
    for (;;) {
      const [one, other] = [first[n], second[m]];
      if (one !== undefined && one.newStart <= end) {
        end = Math.max(end, one.newEnd);
        shift = one.newEnd - one.oldEnd;
        n += 1;
      } else if (other !== undefined && other.oldStart <= end) {
        end = Math.max(end, other.oldEnd);
        newShift = other.newEnd - other.oldEnd;
        m += 1;
      } else break;
    }
    result.push({ ...begun, oldEnd: end - shift, newEnd: end + newShift });
  }
  return result;
}
