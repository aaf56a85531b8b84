/** How a number of a sheet is shown: as a text that people and programs read alike. */
export type NumberFormat = (value: number) => string;

const DAY_MS = 86_400_000;
/** Days from the first of each calendar of sheets to 1970; the first of them has a 29 February 1900 that never was. */
const EPOCHS = { '1900': 25_569, '1904': 24_107 } as const;
/** Formats that need not be written down in a file, by their numbers. */
const BUILT_IN: Readonly<Record<number, string>> = {
  ...{ 0: 'General', 1: '0', 2: '0.00', 3: '#,##0', 4: '#,##0.00', 9: '0%', 10: '0.00%' },
  ...{ 14: 'yyyy-mm-dd', 15: 'd-mmm-yy', 16: 'd-mmm', 17: 'mmm-yy', 18: 'h:mm', 19: 'h:mm:ss', 20: 'h:mm' },
  ...{ 21: 'h:mm:ss', 22: 'yyyy-mm-dd h:mm', 37: '#,##0', 38: '#,##0', 39: '#,##0.00', 40: '#,##0.00' },
  ...{ 45: 'mm:ss', 46: '[h]:mm:ss', 47: 'mm:ss.0' },
};
const PLAIN_NUMBER = /^[#,]*0(?:\.(0+))?(%?)$/;
/** What in a code is no letter of it: quoted, escaped, in brackets (but for hours that pass 24), or room that is left. */
const NOT_CODE = /"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]/giu;
const MAX_DECIMALS = 20;
/** Longer ones no program writes. */
const MAX_CODE = 255;

/** Spreadsheets show fifteen digits: what a sum of tenths has beyond them is noise. */
export function general(value: number): string {
  return String(Number(value.toPrecision(15)));
}

/** The format of this number, whose code the file may have. */
export function numberFormat(id: number, code: string | undefined, epoch: keyof typeof EPOCHS): NumberFormat {
  const [positive = ''] = (code ?? BUILT_IN[id] ?? 'General').slice(0, MAX_CODE).replace(NOT_CODE, '').split(';', 1);
  const plain = PLAIN_NUMBER.exec(positive);
  if (plain !== null) return fixed(positive, plain[1]?.length ?? 0, plain[2] === '%');
  const [hasDate, hasTime] = [/[yd]/i.test(positive), /[hs]/i.test(positive)];
  if (/general/i.test(positive) || (!hasDate && !hasTime && !/m/i.test(positive))) return general;
  return (value) => shownTime(value, { hasDate: hasDate || !hasTime, hasTime }, EPOCHS[epoch]);
}

function fixed(code: string, decimals: number, isPercent: boolean): NumberFormat {
  const digits = Math.min(decimals, MAX_DECIMALS);
  const useGrouping = code.includes(',');
  const style = { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping } as const;
  const format = new Intl.NumberFormat('en-US', style);
  return (value) => (isPercent ? `${format.format(value * 100)}%` : format.format(value));
}

/** Date and time as in ISO 8601, without a zone: sheets have none. A number that no date has stays one. */
function shownTime(value: number, { hasDate, hasTime }: { hasDate: boolean; hasTime: boolean }, epoch: number): string {
  // Rounded to seconds: a day's fraction has no exact form.
  const at = new Date(Math.round((value - epoch) * (DAY_MS / 1000)) * 1000);
  if (value < 0 || Number.isNaN(at.getTime()) || at.getUTCFullYear() > 9999) return general(value);
  const [date = '', time = ''] = at.toISOString().slice(0, 19).split('T');
  if (!hasTime) return date;
  return hasDate ? `${date} ${time}` : time;
}
