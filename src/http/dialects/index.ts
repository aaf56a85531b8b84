import type { Clock } from '../../clock.ts';
import type { Dialect } from '../dialect.ts';
import { adminDialect } from './admin/routes.ts';
import { agentsDialect } from './agents/routes.ts';
import { filesDialect } from './files/routes.ts';
import { filesystemDialect } from './filesystem/routes.ts';
import { mediaDialect } from './media/routes.ts';
import type { DocumentHandling } from './media/wire.ts';
import { slotsDialect } from './slots/routes.ts';
import { storeDialect } from './store/routes.ts';
import { uploadsDialect } from './uploads/routes.ts';
import { usageDialect } from './usage/routes.ts';
import { webhooksDialect } from './webhooks/routes.ts';

/** What the dialects enforce, in bytes, and how they answer; see the settings of the same names. */
export interface DialectOptions {
  readonly storeMaxFileBytes: number;
  readonly workspaceMaxFileBytes: number;
  readonly filesMaxFileBytes: number;
  readonly slotMaxFileBytes: number;
  readonly mediaMaxFileBytes: number;
  readonly mediaSignedUrls: boolean;
  readonly mediaDocumentHandling: DocumentHandling;
  readonly jsonMaxBytes: number;
  readonly editMaxBytes: number;
  readonly clock: Clock;
}

/** The list of the APIs this program speaks, but for its own operation (dialects/ops), which describes the others. */
export function allDialects(options: DialectOptions): readonly Dialect[] {
  return [
    storeDialect({ maxFileBytes: options.storeMaxFileBytes }),
    filesystemDialect({
      jsonMaxBytes: options.jsonMaxBytes,
      maxFileBytes: options.workspaceMaxFileBytes,
      editMaxBytes: Math.min(options.editMaxBytes, options.workspaceMaxFileBytes),
      clock: options.clock,
    }),
    filesDialect({ maxFileBytes: options.filesMaxFileBytes }),
    slotsDialect({ maxFileBytes: options.slotMaxFileBytes }),
    mediaDialect({
      maxFileBytes: options.mediaMaxFileBytes,
      signedUrls: options.mediaSignedUrls,
      documentHandling: options.mediaDocumentHandling,
      clock: options.clock,
    }),
    uploadsDialect({
      store: options.storeMaxFileBytes,
      workspace: options.workspaceMaxFileBytes,
      file: options.filesMaxFileBytes,
    }),
    agentsDialect(),
    usageDialect(),
    webhooksDialect(),
    adminDialect(),
  ];
}
