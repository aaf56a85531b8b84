import { temporaryDirectory } from '../../support/tree.ts';
import { uploadThroughTrouble } from './trouble.ts';

describe('tus-js-client', () => {
  it('uploads.patch brings 200 MB through five cut connections and a killed daemon, byte for byte', async () => {
    using directory = temporaryDirectory();
    await uploadThroughTrouble(directory, 200_000_000);
  }, 300_000);
});
