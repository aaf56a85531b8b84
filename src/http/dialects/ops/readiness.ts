import { setTimeout as wait } from 'node:timers/promises';

/** What decides whether the daemon can serve, and what it says about itself beside. */
export interface ReadinessParts {
  /** By name (`database`, `data_root`, `migrations`): each rejects where the daemon cannot serve. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
  /** The containment class of the data root. */
  readonly containment: string;
  /** One sentence: which ownership strategy holds between daemon and agents. */
  readonly ownership: string;
  /** Sentences about what will be a problem soon, such as little free disk. */
  readonly warnings: () => Promise<readonly string[]>;
}

export interface Report extends Pick<ReadinessParts, 'containment' | 'ownership'> {
  readonly ready: boolean;
  /** `ok`, or in one word what is wrong: the cause may name hosts and paths, and anyone may ask. */
  readonly checks: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

export interface Readiness {
  /** A report no older than a second: whoever asks often does not make the disk and the database work for it. */
  report(): Promise<Report>;
}

const CHECK_MS = 3_000;
const FRESH_MS = 1_000;

export function openReadiness(parts: ReadinessParts): Readiness {
  let latest: { readonly at: number; readonly report: Promise<Report> } | null = null;
  return {
    report() {
      const now = performance.now();
      if (latest === null || now - latest.at > FRESH_MS) latest = { at: now, report: examine(parts) };
      return latest.report;
    },
  };
}

async function examine(parts: ReadinessParts): Promise<Report> {
  const { containment, ownership } = parts;
  const outcomes = await Promise.all(
    Object.entries(parts.checks).map(async ([name, check]) => [name, await outcomeOf(check)] as const),
  );
  const warnings = await parts.warnings().catch(() => ['the free disk space could not be read']);
  const ready = outcomes.every(([, outcome]) => outcome === 'ok');
  return { ready, checks: Object.fromEntries(outcomes), containment, ownership, warnings };
}

async function outcomeOf(check: () => Promise<void>): Promise<string> {
  const done = new AbortController();
  const late = wait(CHECK_MS, 'slow', { signal: done.signal, ref: false }).catch(() => 'slow');
  const checked = check().then(
    () => 'ok',
    () => 'failed',
  );
  const outcome = await Promise.race([checked, late]);
  done.abort();
  return outcome;
}
