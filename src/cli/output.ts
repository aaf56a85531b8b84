import { FsError } from '../errors.ts';

/** What the command ends with: done; failed; a command line or setting that is wrong. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Where a command speaks. */
export interface Output {
  /** What was asked for. */
  print(text: string): void;
  /** A remark for the person at the terminal: apart, so that it never mixes with what was asked for. */
  remark(text: string): void;
}

/** Standard output and standard error. */
export const standardOutput: Output = {
  print: (text) => void process.stdout.write(text),
  remark: (text) => void process.stderr.write(text),
};

/** For machines: one JSON value on a line. */
export function printJson(output: Output, value: unknown): void {
  output.print(`${JSON.stringify(value)}\n`);
}

/** Columns as wide as their widest cell; the first row is the head. */
export function printTable(output: Output, rows: readonly (readonly string[])[]): void {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  for (const row of rows) {
    const cells = row.map((cell, i) => cell.padEnd(widths[i] ?? 0));
    output.print(`${cells.join('  ').trimEnd()}
`);
  }
}

/** Says what went wrong, one sentence where it is understood, and gives the exit code for it. */
export function explain(output: Output, error: unknown): ExitCode {
  const known = error instanceof FsError && error.code !== 'internal';
  output.remark(`workspaced: ${known ? error.message : detailOf(error)}\n`);
  return known && error.code === 'invalid_request' ? EXIT.usage : EXIT.failed;
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\n${detailOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
