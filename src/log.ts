import pino, { type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Structured log: `log.info({ requestId }, 'sentence')`. */
export type Log = Logger;

const CENSORED = '[redacted]';

// Looked for in the finished line, so it does not matter in which field or message a secret slipped in.
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/("(?:authorization|(?:set-)?cookie|x-api-key|x-sapiom-api-key)":\[?")(?:[^"\\]|\\.)*"/gi, `$1${CENSORED}"`],
  [/wsk_[0-9a-f]+_[0-9a-f]+/g, CENSORED],
  [/\b(bearer\s+)[^\s"\\]+/gi, `$1${CENSORED}`],
  [/\b(token=)[^\s"&\\]*/gi, `$1${CENSORED}`],
  [/(:\/\/[^\s:/@"\\]*:)[^\s/@"\\]+@/g, `$1${CENSORED}@`],
];

/**
 * A log of JSON lines on standard error, or readable lines where that is a terminal. Authorization headers, tokens,
 * keys, signed queries and passwords in URLs never reach it.
 */
export function openLog(
  settings: { readonly logLevel: LogLevel },
  destination: DestinationStream = standardError(),
): Log {
  return pino(
    {
      level: settings.logLevel,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: scrub },
    },
    destination,
  );
}

// What a token's characters make up without a gap. Matching the token itself would try again at every beginning of one,
// which takes the square of the length of a path made of beginnings.
const RUNS = /[\w.-]+/g;

function scrub(line: string): string {
  const text = line.replace(RUNS, (run) => (holdsToken(run) ? CENSORED : run));
  return SECRETS.reduce((scrubbed, [shape, instead]) => scrubbed.replace(shape, instead), text);
}

/** Three parts, of which the first begins as the JSON of every token's header does. */
function holdsToken(run: string): boolean {
  const start = run.indexOf('eyJ');
  return start >= 0 && run.indexOf('.', run.indexOf('.', start) + 1) > run.indexOf('.', start);
}

/** Standard output belongs to what people asked for: the listening line, a token, a table. */
function standardError(): DestinationStream {
  const destination = 2;
  return process.stderr.isTTY
    ? pretty({ destination, sync: true, colorize: true, ignore: 'pid' })
    : pino.destination({ dest: destination, sync: true });
}
