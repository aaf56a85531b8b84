import { decodePax } from '../../src/archive/tar-pax.ts';

it('extended headers of a tar have a bounded number of records', () => {
  const records = (count: number) => Buffer.from('5 a=\n'.repeat(count));
  expect(decodePax(records(4096))).toEqual(new Map([['a', Buffer.of()]]));
  expect(() => decodePax(records(4097))).toThrow('an extended header has more than 4096 records');
});
