import type { ArchiveFormat } from '../../src/archive/format.ts';
import { describeDamage } from './archive/damage.ts';
import { describeGivingBack, describePacking } from './archive/packing.ts';
import { describeRoundTrip } from './archive/round-trip.ts';

/** What every format promises, to whoever packs and to whoever unpacks. */
export function describeArchive(format: ArchiveFormat): void {
  describe(`an archive as ${format.name}`, () => {
    describeRoundTrip(format);
    describePacking(format);
    describeGivingBack(format);
    describeDamage(format);
  });
}
