import { startTestDaemon } from '../../support/daemon.ts';
import { expectPage } from '../../support/page.ts';

describe('docs/editing.md', () => {
  it('filesystem.edit and its neighbours answer its commands as it says', async () => {
    const daemon = await startTestDaemon();
    try {
      await expectPage('editing.md', 'editing', daemon);
    } finally {
      await daemon.close();
    }
  });
});
