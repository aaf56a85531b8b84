import type { Grant } from '../auth/grant.ts';
import type { StoredRun } from '../db/runs.ts';
import type { ObjectId } from '../ids.ts';
import { child, type TreePath } from '../tree/path.ts';
import type { FileObject, RunWanted } from './core.ts';
import { freeName } from './input-names.ts';
import { INPUT_DIRECTORY, type RunObjects } from './run-parts.ts';
import { findObject, type PlannedFile, planObjectFile, type SeedSources } from './seed.ts';

const PAGE = 500;

/**
 * The files of end users that a run is given without naming where they go, newest first: all of its user's inputs that
 * are meant for this agent and session, or those with the given ids. @throws not_found naming an id
 */
export async function findInputs(
  sources: SeedSources,
  run: StoredRun,
  inputs: RunWanted['inputs'],
): Promise<readonly FileObject[]> {
  if (inputs === 'none') return [];
  if (inputs !== 'all') return findByIds(sources, inputs);
  return inputsOfUser(sources.objects, sources.grant, run);
}

async function findByIds(sources: SeedSources, ids: readonly ObjectId[]): Promise<readonly FileObject[]> {
  const found: FileObject[] = [];
  for (const id of new Set(ids)) found.push(await findObject(sources, id));
  return found.sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime());
}

/** Every `agent_input` of the run's user that is meant for it, newest first. Without a user there are none. */
export async function inputsOfUser(objects: RunObjects, system: Grant, run: StoredRun): Promise<readonly FileObject[]> {
  if (run.user_id === null) return [];
  const found: FileObject[] = [];
  let cursor: string | null = null;
  do {
    const filter = { userId: run.user_id, purpose: 'agent_input' } as const;
    const page: { readonly items: readonly FileObject[]; readonly next: string | null } = await objects.list(
      system,
      filter,
      { limit: PAGE, cursor },
    );
    found.push(...page.items.filter((object) => isMeantFor(object, run)));
    cursor = page.next;
  } while (cursor !== null);
  return found;
}

/** True for an input of the run's user that names no other agent and no other session. */
export function isMeantFor(object: FileObject, run: StoredRun): boolean {
  return (
    object.purpose === 'agent_input' &&
    object.userId !== null &&
    object.userId === run.user_id &&
    (object.agentId === null || object.agentId === run.agent) &&
    (object.sessionId === null || object.sessionId === run.session_id)
  );
}

/**
 * Gives each input its place in the input directory. The newest of one name has it; what was asked for by name keeps its
 * place, and an input that was is not put in twice.
 */
export function planInputs(
  sources: SeedSources,
  inputs: readonly FileObject[],
  asked: readonly PlannedFile[],
  isBlocked: (path: TreePath) => boolean,
): readonly PlannedFile[] {
  const taken = new Set(asked.map((file) => file.to));
  const askedIds = new Set(asked.map(({ source }) => ('fileId' in source ? source.fileId : null)));
  const planned: PlannedFile[] = [];
  for (const object of inputs) {
    if (askedIds.has(object.id)) continue;
    const at = (name: string) => child(INPUT_DIRECTORY, name);
    const to = at(freeName(object, (name) => taken.has(at(name)) || isBlocked(at(name))));
    taken.add(to);
    planned.push(planObjectFile(sources.objects, sources.grant.tenant, object, { to, mode: 'rw', automatic: true }));
  }
  return planned;
}
