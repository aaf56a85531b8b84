import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startTestDaemon } from '../../support/daemon.ts';

const PAGE = fileURLToPath(new URL('../../../docs/editing.md', import.meta.url));
const COMMANDS = /<!-- test: editing -->\n```sh\n([\s\S]*?)```/;
const ANSWERS = /```text\n([\s\S]*?)```/;

/** A line of the page as a pattern: `…` stands for anything. */
function patternOf(line: string): RegExp {
  const escaped = line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('…', '.+')}$`);
}

describe('docs/editing.md', () => {
  it('filesystem.edit and its neighbours answer its commands as it says', async () => {
    const page = await readFile(PAGE, 'utf8');
    const [commands, answers] = [COMMANDS.exec(page)?.[1] ?? '', ANSWERS.exec(page)?.[1] ?? ''];
    const daemon = await startTestDaemon();
    try {
      const env = { ...process.env, U: daemon.url, H: `Authorization: Bearer ${daemon.token({ tenant: 'acme' })}` };
      const bash = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands], { env });
      const lines = (await bash).stdout.replaceAll('}{', '}\n{').split('\n');
      const patterns = answers.trimEnd().split('\n').map(patternOf);
      expect(lines).toEqual(patterns.map((pattern) => expect.stringMatching(pattern)));
    } finally {
      await daemon.close();
    }
  });
});
