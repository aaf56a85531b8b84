import { startTestDaemon } from '../support/daemon.ts';
import { expectPage } from '../support/page.ts';

/** The pages whose commands any daemon answers, by the mark before the commands. */
const PAGES = ['archives', 'editing', 'events', 'files', 'idempotency', 'media', 'search', 'slots', 'uploads', 'usage'];

/** Further marks on a page. */
const MORE: Readonly<Record<string, readonly string[]>> = { slots: ['resume'] };

describe.each(PAGES)('docs/%s.md', (name) => {
  it('has commands that are answered as it says', async () => {
    const daemon = await startTestDaemon();
    try {
      for (const mark of [name, ...(MORE[name] ?? [])]) await expectPage(`${name}.md`, mark, daemon);
    } finally {
      await daemon.close();
    }
  });
});
