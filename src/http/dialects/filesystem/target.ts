import { allows, demand, type VolumeRef } from '../../../auth/grant.ts';
import type { Core, ReadVolume, Volume } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { parseAgentId } from '../../../ids.ts';
import { ROOT, type TreePath } from '../../../tree/path.ts';
import type { Call } from '../../call.ts';
import { pathFromBase64 } from '../../verbs/content.ts';

/** The workspace that a call is about. @throws invalid_request for an agent id that is none */
export function workspaceOf(call: Call): VolumeRef & { readonly kind: 'workspace' } {
  return { kind: 'workspace', tenant: call.grant.tenant, agent: parseAgentId(call.param('agentId')) };
}

/** @throws not_found where the workspace never was, forbidden */
export async function openToRead(core: Core, call: Call): Promise<ReadVolume> {
  const ref = workspaceOf(call);
  const volume = await core.volumes.open(call.grant, ref, 'read');
  call.tally.concerns({ agentId: ref.agent });
  return volume;
}

/** Opens it for a call that may be the first write, and makes it then. @throws forbidden */
export async function openToWrite(core: Core, call: Call): Promise<Volume> {
  const ref = workspaceOf(call);
  const volume = await core.volumes.open(call.grant, ref, 'write');
  call.tally.concerns({ agentId: ref.agent });
  return volume;
}

/** What both openings for writing ask first, for a call that opens later or more than once. @throws forbidden */
export function demandMayWrite(call: Call): void {
  demand(call.grant, 'workspace:write', workspaceOf(call));
}

/** Opens it for a call that changes what is there: a workspace that never was is not made by it. @throws not_found, forbidden */
export async function openToChange(core: Core, call: Call): Promise<Volume> {
  const ref = workspaceOf(call);
  demandMayWrite(call);
  // Opening to read is remembered for a moment, so it is the cheaper question where the credential may ask it.
  if (allows(call.grant, 'workspace:read', ref)) await core.volumes.open(call.grant, ref, 'read');
  else await core.agents.get(ref.tenant, ref.agent);
  return openToWrite(core, call);
}

/** The file a call names, by the URL's path or by `path_b64`. @throws invalid_path, invalid_request for both at once */
export function fileNamed(call: Call, pathB64: string | undefined): TreePath {
  const path = call.path('path');
  if (pathB64 === undefined) return path;
  if (path !== ROOT) throw new FsError('invalid_request', 'the path is in the URL or in path_b64, not in both');
  return pathFromBase64(pathB64, 'path_b64');
}
