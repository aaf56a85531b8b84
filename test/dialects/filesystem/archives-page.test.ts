import { startTestDaemon } from '../../support/daemon.ts';
import { expectPage } from '../../support/page.ts';

describe('docs/archives.md', () => {
  it('filesystem.archive and filesystem.extract, and those of the store, answer its commands as it says', async () => {
    const daemon = await startTestDaemon();
    try {
      await expectPage('archives.md', 'archives', daemon);
    } finally {
      await daemon.close();
    }
  });
});
