import { z } from 'zod';
import type { Grant } from '../../auth/grant.ts';
import type { ObjectMeta, Purpose } from '../../core/core.ts';
import { FsError } from '../../errors.ts';
import { parseAgentId } from '../../ids.ts';
import { duration } from './durations.ts';
import { fileName, shortName } from './shapes.ts';

const PURPOSES = ['agent_input', 'agent_output', 'knowledge'] as const satisfies readonly Purpose[];
const MAX_KEPT_SECONDS = 3660 * 24 * 3600;

/** The shape of a purpose. */
export const purpose = z.enum(PURPOSES).describe('`agent_input`, `agent_output` or `knowledge`.');

/** How long a file is kept after it was made, in seconds. */
export const expiresAfter = duration(MAX_KEPT_SECONDS)
  .optional()
  .describe('When it is removed, counted from now: seconds, or 12h, 7d. The answer says when, in `Sunset`.');

/** What a file is made with besides its bytes: form fields and JSON fields alike, in snake_case. */
export const fileFields = z.object({
  filename: fileName.optional().describe('By default the name that the part carries.'),
  user_id: shortName.optional().describe('The end user whose file it is.').meta({ example: 'user_42' }),
  purpose: purpose.default('agent_input'),
  agent_id: z.string().optional().describe('Only for this agent.'),
  session_id: shortName.optional().describe('Only for this session.'),
  expires_after: expiresAfter,
});
export type FileFields = z.infer<typeof fileFields>;

/**
 * What a file is made with. What the credential is bound to is held against it, and filled in, where the file is made.
 * @throws invalid_request where nobody says whose file it is
 */
export function metaOf(fields: FileFields, grant: Grant): ObjectMeta {
  return {
    filename: fields.filename ?? null,
    purpose: fields.purpose,
    userId: userFor(fields, grant),
    agentId: fields.agent_id === undefined ? null : parseAgentId(fields.agent_id),
    sessionId: fields.session_id ?? null,
    expiresAfterSeconds: fields.expires_after ?? null,
  };
}

function userFor(fields: FileFields, grant: Grant): string | null {
  const userId = fields.user_id ?? null;
  if (userId !== null || grant.user !== null || grant.agent !== null) return userId;
  throw new FsError('invalid_request', 'the field "userId" is missing: say whose file it is');
}
