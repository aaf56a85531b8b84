import { FsError } from '../errors.ts';

const MAX_ALTERNATIVES = 32;

/**
 * The alternatives of a glob with braces: `a.{csv,txt}` is `a.csv` and `a.txt`; they nest. A brace that is not closed, or
 * holds no comma, is a literal one. @throws invalid_request beyond 32 alternatives
 */
export function expandBraces(glob: string): readonly string[] {
  const done: string[] = [];
  const waiting = [glob];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const group = firstGroup(next);
    if (group === null) done.push(next);
    else for (const part of group.parts) waiting.push(group.before + part + group.after);
    if (done.length + waiting.length > MAX_ALTERNATIVES) {
      throw new FsError('invalid_request', `a glob has more than ${MAX_ALTERNATIVES} alternatives in braces`);
    }
  }
  return done;
}

interface Group {
  readonly before: string;
  readonly parts: readonly string[];
  readonly after: string;
}

function firstGroup(text: string): Group | null {
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '{') {
      const group = groupAt(text, at);
      if (group !== null) return group;
    }
  }
  return null;
}

function groupAt(text: string, start: number): Group | null {
  const commas: number[] = [];
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '{') depth += 1;
    else if (character === ',' && depth === 1) commas.push(at);
    else if (character === '}') {
      depth -= 1;
      if (depth > 0) continue;
      if (commas.length === 0) return null;
      const cuts = [start, ...commas, at];
      const parts = cuts.slice(1).map((cut, n) => text.slice((cuts[n] ?? start) + 1, cut));
      return { before: text.slice(0, start), parts, after: text.slice(at + 1) };
    }
  }
  return null;
}
