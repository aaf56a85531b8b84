import { temporaryDirectory } from '../../support/tree.ts';
import { uploadThroughTrouble } from './trouble.ts';

describe('tus-js-client', () => {
  it('uploads.patch goes on through five cut connections and a killed daemon, byte for byte', async () => {
    using directory = temporaryDirectory();
    await uploadThroughTrouble(directory, 24 << 20);
  }, 60_000);
});
