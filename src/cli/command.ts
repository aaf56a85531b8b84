import { Command, CommanderError } from 'commander';
import { SETTINGS } from '../config.ts';
import type { KeyOptions } from './local/key.ts';
import type { TokenOptions } from './local/token.ts';
import { EXIT, type ExitCode, explain, type Output, standardOutput } from './output.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Runs one `workspaced` command line. Resolves to the exit code; a serving daemon goes on until it is told to stop. */
export async function runCommand(
  argv: readonly string[],
  env: Environment,
  output: Output = standardOutput,
): Promise<ExitCode> {
  try {
    await program(env, output).parseAsync(argv);
    return EXIT.ok;
  } catch (error) {
    // commander has said it already; asking for help is no error
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return explain(output, error);
  }
}

function program(env: Environment, output: Output): Command {
  const workspaced = new Command('workspaced')
    .description('Sandboxed file stores and agent workspaces over REST.')
    .configureOutput({ writeOut: (text) => output.print(text), writeErr: (text) => output.remark(text) })
    .exitOverride()
    .showHelpAfterError()
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 the command line or a setting is wrong.');
  addServe(workspaced, env);
  addToken(workspaced, env, output);
  addKey(workspaced, env, output);
  return workspaced;
}

function addServe(workspaced: Command, env: Environment): void {
  workspaced
    .command('serve')
    .description('run the daemon until it is told to stop (SIGTERM or SIGINT)')
    .addHelpText('after', `\nSettings (environment):\n${settingsHelp()}`)
    .action(async () => {
      const { serve } = await import('./local/serve.ts');
      await serve(env);
    });
}

function addToken(workspaced: Command, env: Environment, output: Output): void {
  workspaced
    .command('token')
    .description("print a bearer token signed with this data root's secret; needs no running daemon")
    .requiredOption('--tenant <tenant>', 'whose store, workspaces and files it opens')
    .option('--agent <agent>', 'good for this one workspace only')
    .option('--user <user>', "good for this one end user's files only")
    .option('--scope <scopes>', 'space-separated, such as "store:read runs:write"; default: all but admin')
    .option('--ttl <duration>', 'how long it is good: 30s, 15m, 24h, 7d or seconds', '1h')
    .option('--json', 'print a JSON object instead of the bare token')
    .action(async (options: TokenOptions) => {
      const { printToken } = await import('./local/token.ts');
      await printToken(env, options, output);
    });
}

function addKey(workspaced: Command, env: Environment, output: Output): void {
  const key = workspaced.command('key').description('API keys of a tenant; needs no running daemon');
  const keys = () => import('./local/key.ts');
  key
    .command('create')
    .description('make a key and print it, this once')
    .requiredOption('--tenant <tenant>', 'whose store, workspaces and files it opens')
    .option('--scope <scopes>', 'space-separated, such as "store:read runs:write"; default: all but admin')
    .option('--agent <agent>', 'good for this one workspace only')
    .option('--json', 'print a JSON object instead of the bare key')
    .action(async (options: KeyOptions) => (await keys()).createKey(env, options, output));
  key
    .command('list')
    .description('list the keys that are not revoked, without their secrets')
    .requiredOption('--tenant <tenant>', 'whose keys')
    .option('--json', 'print a JSON object instead of a table')
    .action(async (options: KeyOptions) => (await keys()).printKeys(env, options, output));
  key
    .command('revoke')
    .description('end a key; every daemon refuses it within 5 seconds')
    .argument('<id>', 'as list shows it')
    .requiredOption('--tenant <tenant>', 'whose key')
    .action(async (id: string, options: KeyOptions) => (await keys()).endKey(env, id, options, output));
}

function settingsHelp(): string {
  const width = Math.max(...SETTINGS.map((setting) => setting.variable.length));
  return SETTINGS.map(({ variable, shownDefault, meaning }) => {
    return `  ${variable.padEnd(width)}  ${meaning.replaceAll('`', '')} [${shownDefault}]`;
  }).join('\n');
}
