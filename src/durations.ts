const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** How many seconds `90`, `30s`, `15m`, `12h` or `7d` are; null for every other text. */
export function parseDuration(text: string): number | null {
  const [, digits, unit = ''] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  return digits === undefined ? null : Number(digits) * (SECONDS[unit] ?? 0);
}
