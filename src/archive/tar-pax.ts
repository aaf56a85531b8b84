import { damaged } from './faults.ts';

/** In one header. Honest ones have a few; a mebibyte of the smallest would keep the event loop for a tenth of a second. */
const MAX_RECORDS = 4096;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;
const SPACE = 0x20;

/** The records of a pax header, "27 path=some/long/name\n" after one another. Values are bytes. @throws invalid_request */
export function decodePax(content: Buffer): ReadonlyMap<string, Buffer> {
  const records = new Map<string, Buffer>();
  let count = 0;
  for (let at = 0; at < content.length; ) {
    count += 1;
    if (count > MAX_RECORDS) throw damaged(`an extended header has more than ${MAX_RECORDS} records`);
    const space = content.indexOf(SPACE, at);
    const length = /^[1-9][0-9]{0,9}$/.exec(content.toString('latin1', at, Math.max(at, space)));
    const end = length === null ? Number.NaN : at + Number(length[0]);
    const equals = content.indexOf(EQUALS, space);
    // Also false where `end` is no number.
    if (!(end <= content.length && content[end - 1] === NEWLINE && equals > space && equals < end)) {
      throw damaged('an extended header is malformed');
    }
    records.set(content.toString('utf8', space + 1, equals), Buffer.from(content.subarray(equals + 1, end - 1)));
    at = end;
  }
  return records;
}

/** The content of a pax header with these records. */
export function encodePax(records: ReadonlyMap<string, Buffer>): Buffer {
  return Buffer.concat([...records].map(([key, value]) => record(key, value)));
}

/** The length in front counts itself, so a number that just turned longer is counted again. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.of(NEWLINE)]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
