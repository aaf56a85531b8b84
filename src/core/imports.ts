import { demand } from '../auth/grant.ts';
import { FsError } from '../errors.ts';
import { demandCreatable } from '../tree/path.ts';
import type { Web } from '../web/web.ts';
import type { Imports, Volumes } from './core.ts';
import { type TurnLimits, Turns } from './turns.ts';

/** Downloads under way in this process, and of one tenant: each holds a connection, and may hold it for minutes. */
const TURNS: TurnLimits = { what: 'downloads', atOnce: 32, perTenant: 8, retryAfterSeconds: 10 };

interface ImportsParts {
  readonly volumes: Volumes;
  /** null: imports are switched off. */
  readonly web: Pick<Web, 'get'> | null;
}

export function openImports({ volumes, web }: ImportsParts): Imports {
  const turns = new Turns(TURNS);
  return {
    async fetch(grant, ref, { url, path, mode, maxBytes, expected }, signal) {
      demand(grant, `${ref.kind}:write`, ref);
      if (web === null) throw switchedOff();
      demandCreatable(path);
      return turns.during(ref.tenant, signal, () =>
        web.get(url, signal, async ({ body, bytes }) => {
          const volume = await volumes.open(grant, ref, 'write');
          return volume.write(path, body, { mode, maxBytes, declaredBytes: bytes, expected });
        }),
      );
    },
  };
}

function switchedOff(): FsError {
  return new FsError(
    'forbidden',
    'fetching from the web is switched off here; whoever runs this daemon can set FETCH_ENABLED=true',
  );
}
