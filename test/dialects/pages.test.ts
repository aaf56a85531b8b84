import { startTestDaemon } from '../support/daemon.ts';
import { expectPage } from '../support/page.ts';

/** The pages whose commands any daemon answers, by the mark before the commands. */
const PAGES = ['archives', 'editing', 'events', 'files', 'idempotency', 'media', 'search', 'uploads', 'usage'];

describe.each(PAGES)('docs/%s.md', (name) => {
  it('has commands that are answered as it says', async () => {
    const daemon = await startTestDaemon();
    try {
      await expectPage(`${name}.md`, name, daemon);
    } finally {
      await daemon.close();
    }
  });
});
