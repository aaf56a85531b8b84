import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestDaemon } from './daemon.ts';

const ANSWERS = /```text\n([\s\S]*?)```/;

/**
 * Runs the commands of `docs/<name>` that stand behind `<!-- test: mark -->`, and compares what they print with the answers that
 * the page shows, where `…` stands for anything. `$U` and `$H` are as in the README.
 * @param edit makes of the commands what can be run here
 */
export async function expectPage(
  name: string,
  mark: string,
  daemon: TestDaemon,
  edit: (commands: string) => string = (commands) => commands,
): Promise<void> {
  const page = await readFile(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8');
  const marked = page.slice(page.indexOf(`<!-- test: ${mark} -->\n\`\`\`sh\n`));
  const commands = edit(marked.split('```')[1]?.replace(/^sh\n/, '') ?? '');
  const env = { ...process.env, U: daemon.url, H: `Authorization: Bearer ${daemon.token({ tenant: 'acme' })}` };
  const bash = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands], { env });
  const lines = (await bash).stdout.replaceAll('}{', '}\n{').split('\n');
  const patterns = (ANSWERS.exec(marked)?.[1] ?? '').trimEnd().split('\n').map(patternOf);
  expect(lines).toEqual(patterns.map((pattern) => expect.stringMatching(pattern)));
}

/** A line of the page as a pattern. */
function patternOf(line: string): RegExp {
  const escaped = line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('…', '.+')}$`);
}
