import cluster from 'node:cluster';
import { acceptsLocalTokens } from '../../auth/bearer.ts';
import { type Config, readConfig, warningsOf } from '../../config.ts';
import { FsError } from '../../errors.ts';
import { type Log, openLog } from '../../log.ts';
import { explain, standardOutput } from '../output.ts';
import { untilToldToStop } from './shutdown.ts';
import { localToken } from './token.ts';
import { reportListening, superviseWorkers } from './workers.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const CURL_TTL_SECONDS = 3600;

/**
 * Runs the daemon of these settings: in this process, or in `WORKERS` processes that this one watches over. Resolves
 * once requests are accepted; the process then ends on SIGTERM or SIGINT, with 0 when everything was finished.
 * @throws invalid_request for a bad setting, unavailable where the port, the disk or the database is not to be had
 */
export async function serve(env: Environment): Promise<void> {
  const config = readConfig(env);
  const log = openLog(config);
  if (cluster.isWorker) return reportListening(await listen(config, log));
  for (const warning of warningsOf(config)) log.warn(warning);
  if (config.workers > 1) return superviseWorkers(config.workers, log, announce);
  announce(await listen(config, log));
}

function announce(lines: readonly string[]): void {
  for (const line of lines) standardOutput.print(`${line}\n`);
}

/** `serve` for a process that does nothing else: a start that fails is explained, and ends it. */
export async function serveOrExplain(env: Environment): Promise<void> {
  try {
    await serve(env);
  } catch (error) {
    process.exit(explain(standardOutput, error));
  }
}

/** Starts the daemon, makes it stop when the process is told to, and gives the lines that announce it. */
async function listen(config: Config, log: Log): Promise<readonly string[]> {
  const starting = import('../../daemon.ts').then(({ startDaemon }) => startDaemon(config, { log }));
  // Before it has started: as process 1 of a container it would never learn of a signal otherwise
  untilToldToStop(async () => (await starting).close(), log);
  try {
    const { url } = await starting;
    return [`workspaced listening on ${url}`, ...(await firstCall(config, url, log))];
  } catch (error) {
    throw explained(error, config);
  }
}

/** A command that works as pasted, for whoever tries the daemon out; nothing in production, where logs are kept. */
async function firstCall(config: Config, url: string, log: Log): Promise<readonly string[]> {
  const takesToken = acceptsLocalTokens({ publicKey: config.jwtPublicKey, jwksUrl: config.jwtJwksUrl });
  if (!config.development || !config.tenantAutocreate || !takesToken) return [];
  const token = await localToken(config, { tenant: 'demo', subject: 'first-call' }, CURL_TTL_SECONDS, log);
  return [
    'try it, as tenant "demo", with a token that is good for an hour:',
    `  curl -H 'Authorization: Bearer ${token}' ${url}/api/v1/files`,
  ];
}

function explained(error: unknown, { host, port, signedPort }: Config): unknown {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  const where = `HOST ${host}, PORT ${port}${signedPort === null ? '' : `, SIGNED_PORT ${signedPort}`}`;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there',
    EACCES: 'ports below 1024 need a privilege',
    EADDRNOTAVAIL: 'this machine does not have that address',
    ENOTFOUND: 'no address is known for that name',
  };
  const reason = typeof code === 'string' ? reasons[code] : undefined;
  return reason === undefined ? error : new FsError('unavailable', `cannot listen (${where}): ${reason}`, {}, error);
}
