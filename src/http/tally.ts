import type { Grant } from '../auth/grant.ts';
import type { Transfer, Whose } from '../core/core.ts';

/** What a request says of itself while it is answered, for the account of its tenant's usage. */
export interface Tally {
  /**
   * Whose it is beyond what the credential says: of a workspace its agent, of an object its user and agent. To be told once that
   * is known to exist, so that nobody makes an account of somebody by naming them.
   */
  concerns(whose: Partial<Whose>): void;
  /** The body brought this many files, whole. They count where the request is answered with success. */
  brought(files: number): void;
  /** The answer carries the content of a file, or of several. An answer with `file` need not say so. */
  carries(): void;
}

/** How a request ended. */
export interface Ending {
  readonly method: string;
  /** Of the answer, as the log tells it. */
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface OpenTally extends Tally {
  /** What the request comes to; null where it is nobody's, because it had no credential or a bad one. */
  total(grant: Grant | null, ending: Ending): Transfer | null;
}

export function openTally(): OpenTally {
  let told: Partial<Whose> = {};
  let files = 0;
  let isDownload = false;
  return {
    concerns(whose) {
      told = whose;
    },
    brought(more) {
      files += more;
    },
    carries() {
      isDownload = true;
    },
    total(grant, { method, status, bytesIn, bytesOut }) {
      if (grant === null) return null;
      const isSuccess = status >= 200 && status < 300;
      return {
        tenant: grant.tenant,
        userId: grant.user ?? told.userId ?? null,
        agentId: grant.agent ?? told.agentId ?? null,
        uploads: isSuccess ? files : 0,
        downloads: isSuccess && isDownload && method !== 'HEAD' ? 1 : 0,
        bytesIn,
        bytesOut,
      };
    },
  };
}
