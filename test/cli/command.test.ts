import { SETTINGS } from '../../src/config.ts';
import { workspaced } from './run.ts';

describe('workspaced', () => {
  it('lists its commands and its exit codes', async () => {
    const { code, stdout } = await workspaced(['--help'], {});
    expect(code).toBe(0);
    for (const word of ['serve', 'token', 'key', 'Exit codes']) expect(stdout).toContain(word);
  });

  it('serve --help lists every setting with its default', async () => {
    const { code, stdout } = await workspaced(['serve', '--help'], {});
    expect(code).toBe(0);
    for (const { variable, shownDefault } of SETTINGS) {
      expect(stdout).toMatch(new RegExp(`^  ${variable} .*\\[.*\\]$`, 'm'));
      expect(stdout).toContain(`[${shownDefault}]`);
    }
  });

  it.each<[string, readonly string[]]>([
    ['no command', []],
    ['an unknown command', ['fly']],
    ['an unknown option', ['token', '--tenant', 'acme', '--fast']],
    ['a missing option', ['token']],
    ['a missing argument', ['key', 'revoke', '--tenant', 'acme']],
  ])('ends with 2 and the usage for %s', async (_, args) => {
    const { code, stdout, stderr } = await workspaced(args, {});
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: workspaced');
    expect(stdout).toBe('');
  });

  it('serve ends with 2 and one sentence for a bad setting', async () => {
    const { code, stdout, stderr } = await workspaced(['serve'], { PORT: 'http' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe('workspaced: PORT is "http"; it must be a whole number from 0 to 65535\n');
  });
});
