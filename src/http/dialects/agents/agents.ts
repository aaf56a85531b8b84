import type { z } from 'zod';
import { demand, type Grant, type Scope } from '../../../auth/grant.ts';
import type { Agent, AgentWanted, Core, PageOf, PageRequest, Seeded } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { type AgentId, parseAgentId } from '../../../ids.ts';
import type { Call, Route } from '../../call.ts';
import {
  agentObject,
  createBody,
  createReply,
  decodeSeeds,
  deleteQuery,
  encodeAgent,
  encodeMount,
  encodeSeeded,
  listQuery,
  listReply,
  mountReply,
} from './wire.ts';

/** The agent a call names, where the credential reaches it. @throws invalid_request, forbidden */
export function agentOf(call: Call, scope: Scope): AgentId {
  const agent = parseAgentId(call.param('agentId'));
  demand(call.grant, scope, { kind: 'workspace', tenant: call.grant.tenant, agent });
  return agent;
}

/** The user that a call acts for: the one it names, or the one its credential is bound to. @throws forbidden */
export function actingFor(grant: Grant, named: string | undefined): string | null {
  const user = named ?? grant.user;
  if (grant.user === null || user === grant.user) return user;
  throw new FsError('forbidden', 'this credential is bound to one user and acts for no other');
}

export function createRoute(core: Core): Route {
  return {
    method: 'POST',
    path: '/agent',
    name: 'agents.create',
    summary: 'Make an agent with its workspace, and copy files into it.',
    access: 'runs:write',
    body: createBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      201: { description: 'The agent, and what was copied in.', schema: createReply },
      400: { description: 'A bad id, quota or entry of `files`.' },
      404: { description: 'A file to copy is missing. No agent was made.' },
      409: { description: 'There is an agent of this id, or two files have one destination.' },
      507: { description: 'The files do not fit. No agent was made.' },
    },
    handle: async (call) => {
      const body = await call.json<z.infer<typeof createBody>>();
      const seeds = decodeSeeds(body.files);
      const made = await core.agents.create(call.grant.tenant, wantedBy(body, call.grant));
      const seeded = await seedNew(core, call.grant, made, seeds);
      const agent = seeded.length === 0 ? made : await core.agents.get(call.grant.tenant, made.id);
      return {
        status: 201,
        headers: { Location: `${call.publicUrl}/agent/${agent.id}` },
        json: { ...encodeAgent(agent), seeded: seeded.map(encodeSeeded) },
      };
    },
  };
}

function wantedBy(body: z.infer<typeof createBody>, grant: Grant): AgentWanted {
  const userId = actingFor(grant, body.user_id);
  return {
    ...(body.agent_id === undefined ? {} : { agentId: parseAgentId(body.agent_id) }),
    ...(userId === null ? {} : { userId }),
    shared: body.shared,
    lifecycle: body.lifecycle,
    ...(body.quota_bytes === undefined ? {} : { quotaBytes: body.quota_bytes }),
    ...(body.quota_files === undefined ? {} : { quotaFiles: body.quota_files }),
    ...(body.expires_after === undefined ? {} : { expiresAfterSeconds: body.expires_after }),
  };
}

/** Copies the files into an agent just made; where that fails, the agent is taken back. */
async function seedNew(
  core: Core,
  grant: Grant,
  agent: Agent,
  seeds: ReturnType<typeof decodeSeeds>,
): Promise<readonly Seeded[]> {
  if (seeds.length === 0) return [];
  try {
    return await core.runs.seedOnce(grant, agent.id, seeds);
  } catch (error) {
    await core.agents.remove(grant.tenant, agent.id, { force: true });
    throw error;
  }
}

export function listRoute(core: Core): Route {
  return {
    method: 'GET',
    path: '/agent',
    name: 'agents.list',
    summary: 'List the agents with what their workspaces hold.',
    access: 'runs:read',
    query: listQuery,
    replies: { 200: { description: 'One page.', schema: listReply } },
    handle: async (call) => {
      const { limit, cursor = null } = call.query<z.infer<typeof listQuery>>();
      const { items, next } = await visible(core, call.grant, { limit, cursor });
      const more = next === null ? {} : { next_cursor: next };
      return { status: 200, json: { agents: items.map(encodeAgent), ...more } };
    },
  };
}

/** The agents a credential may see: all of the tenant, or the one it is bound to. */
async function visible(core: Core, grant: Grant, page: PageRequest): Promise<PageOf<Agent>> {
  if (grant.agent === null) return core.agents.list(grant.tenant, page);
  try {
    return { items: [await core.agents.get(grant.tenant, grant.agent)], next: null };
  } catch (error) {
    if (error instanceof FsError && error.code === 'not_found') return { items: [], next: null };
    throw error;
  }
}

export function getRoute(core: Core): Route {
  return {
    method: 'GET',
    path: '/agent/:agentId',
    name: 'agents.get',
    summary: 'One agent with what its workspace holds.',
    access: 'runs:read',
    replies: {
      200: { description: 'The agent.', schema: agentObject },
      404: { description: 'There is no such agent.' },
    },
    handle: async (call) => {
      const agent = agentOf(call, 'runs:read');
      return { status: 200, json: encodeAgent(await core.agents.get(call.grant.tenant, agent)) };
    },
  };
}

export function deleteRoute(core: Core): Route {
  return {
    method: 'DELETE',
    path: '/agent/:agentId',
    name: 'agents.delete',
    summary: 'Delete an agent with its whole workspace. Captured files live on.',
    access: 'runs:write',
    query: deleteQuery,
    replies: {
      204: { description: 'It is gone.' },
      404: { description: 'There is no such agent.' },
      409: { description: 'A run is live in it, and no `force=true`.' },
    },
    handle: async (call) => {
      const { force } = call.query<z.infer<typeof deleteQuery>>();
      await core.agents.remove(call.grant.tenant, agentOf(call, 'runs:write'), { force });
      return { status: 204, empty: true };
    },
  };
}

export function mountRoute(core: Core): Route {
  return {
    method: 'GET',
    path: '/agent/:agentId/mount',
    name: 'agents.mount',
    summary: 'Where the workspace lies on the host, and how to mount it into a container.',
    access: 'admin',
    replies: {
      200: { description: 'The directory and its ownership.', schema: mountReply },
      404: { description: 'There is no such agent.' },
    },
    handle: async (call) => {
      const agent = agentOf(call, 'admin');
      return { status: 200, json: encodeMount(agent, await core.agents.mount(call.grant.tenant, agent)) };
    },
  };
}
