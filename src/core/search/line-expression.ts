import { RE2JS, RE2JSException } from 're2js';
import { FsError } from '../../errors.ts';
import type { LineTest } from './line-finder.ts';

// The time of an expression is at most the size of its program times the length of the text.
const MAX_PROGRAM = 4000;
const MAX_STEPS_AT_ONCE = 32 * 1024 * 1024;
const LEAST_PIECE = 4096;
/** Such a line is shown whole, so it does not matter where in it the match is. */
const SHORT_LINE = 200;
/** What means something else in a text of several lines: the ends of a text, and flags that are taken back. */
const ABOUT_WHOLE_TEXTS = /\\[AzZ]|\(\?\w*-/;

/** A regular expression in RE2's syntax: its time grows with the text, whatever a client and an agent write into either. */
export class LineExpression implements LineTest {
  readonly #expression: RE2JS;
  /** Matches a text wherever the expression matches a line of it; null where there is no such. */
  readonly #overLines: RE2JS | null;
  readonly #maxLength: number;

  /** @throws invalid_request for what is none, or too large */
  constructor(source: string, caseSensitive: boolean) {
    const flags = caseSensitive ? 0 : RE2JS.CASE_INSENSITIVE;
    this.#expression = compile(source, flags);
    this.#overLines = ABOUT_WHOLE_TEXTS.test(source) ? null : compile(source, flags | RE2JS.MULTILINE);
    this.#maxLength = Math.max(LEAST_PIECE, Math.floor(MAX_STEPS_AT_ONCE / this.#expression.programSize()));
  }

  test(text: string): boolean {
    return this.#expression.test(text);
  }

  mayHold(text: string): boolean {
    if (this.#overLines === null || text.length > this.#maxLength) return true;
    // A line ends before its carriage return.
    return this.#overLines.test(text.includes('\r') ? text.replaceAll('\r\n', '\n').replace(/\r$/, '') : text);
  }

  /** A line that is too long to be looked at at once is looked at in pieces. */
  indexIn(line: string): number {
    for (let start = 0; start === 0 || start < line.length; start += this.#maxLength) {
      const part = line.length <= this.#maxLength ? line : line.slice(start, start + this.#maxLength);
      if (!this.#expression.test(part)) continue;
      if (line.length <= SHORT_LINE) return 0;
      const matcher = this.#expression.matcher(part);
      return matcher.find() ? start + matcher.start() : start;
    }
    return -1;
  }
}

function compile(source: string, flags: number): RE2JS {
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(source, flags);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const help = 'the syntax is that of RE2, which has no look-around and no back-references';
    throw new FsError('invalid_request', `the regular expression cannot be read; ${help}`, {}, error);
  }
  if (expression.programSize() <= MAX_PROGRAM) return expression;
  throw new FsError('invalid_request', 'the regular expression is too large; use smaller counts in braces', {
    limit: MAX_PROGRAM,
    requested: expression.programSize(),
  });
}
