import { demand } from '../auth/grant.ts';
import { FsError } from '../errors.ts';
import type { TenantId } from '../ids.ts';
import { demandCreatable } from '../tree/path.ts';
import type { Web } from '../web/web.ts';
import type { Imports, Volumes } from './core.ts';

/** Downloads under way in this process, and of one tenant: each holds a connection, and may hold it for minutes. */
const IMPORTS_AT_ONCE = 32;
const IMPORTS_PER_TENANT = 8;
const RETRY_AFTER_SECONDS = 10;

interface ImportsParts {
  readonly volumes: Volumes;
  /** null: imports are switched off. */
  readonly web: Web | null;
}

export function openImports({ volumes, web }: ImportsParts): Imports {
  const turns = new Turns();
  return {
    async fetch(grant, ref, { url, path, mode, maxBytes, expected }, signal) {
      demand(grant, `${ref.kind}:write`, ref);
      if (web === null) throw switchedOff();
      demandCreatable(path);
      return turns.during(ref.tenant, () =>
        web.get(url, signal, async ({ body, bytes }) => {
          const volume = await volumes.open(grant, ref, 'write');
          return volume.write(path, body, { mode, maxBytes, declaredBytes: bytes, expected });
        }),
      );
    },
  };
}

/** Counts what is under way. */
class Turns {
  readonly #byTenant = new Map<TenantId, number>();
  #all = 0;

  /** @throws rate_limited, unavailable where there are too many already */
  async during<T>(tenant: TenantId, download: () => Promise<T>): Promise<T> {
    this.#demandTurn(tenant);
    this.#count(tenant, 1);
    try {
      return await download();
    } finally {
      this.#count(tenant, -1);
    }
  }

  #demandTurn(tenant: TenantId): void {
    const own = this.#byTenant.get(tenant) ?? 0;
    const later = { retryAfterSeconds: RETRY_AFTER_SECONDS };
    if (own >= IMPORTS_PER_TENANT) {
      throw new FsError('rate_limited', `${own} downloads of this tenant are under way; wait until one ends`, later);
    }
    if (this.#all >= IMPORTS_AT_ONCE) {
      throw new FsError('unavailable', 'the daemon has as many downloads under way as it takes; try again soon', later);
    }
  }

  #count(tenant: TenantId, change: 1 | -1): void {
    this.#all += change;
    const own = (this.#byTenant.get(tenant) ?? 0) + change;
    if (own === 0) this.#byTenant.delete(tenant);
    else this.#byTenant.set(tenant, own);
  }
}

function switchedOff(): FsError {
  return new FsError(
    'forbidden',
    'fetching from the web is switched off here; whoever runs this daemon can set FETCH_ENABLED=true',
  );
}
