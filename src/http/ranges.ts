/** Bytes from `start` to `end`, both inclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const ONE_RANGE = /^bytes\s*=\s*(\d*)\s*-\s*(\d*)$/i;

/**
 * What a Range header asks of a file of this size: one span; `whole` where it is not one range of bytes, since RFC 9110
 * lets a server ignore what it does not take; `beyond` where nothing of it lies in the file. A suffix longer than the
 * file is the file.
 */
export function spanOf(header: string, size: number): Span | 'whole' | 'beyond' {
  const [, first, last] = ONE_RANGE.exec(header.trim()) ?? [];
  if (first === undefined || last === undefined || first + last === '') return 'whole';
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'beyond' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return 'whole';
  return start >= size ? 'beyond' : { start, end };
}
