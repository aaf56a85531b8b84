import type { z } from 'zod';
import type { Grant } from '../../../auth/grant.ts';
import type { CaptureRules, Core, PageRequest, Run, RunWanted } from '../../../core/core.ts';
import { parseObjectId, parseRunId } from '../../../ids.ts';
import type { Call, Route } from '../../call.ts';
import { actingFor, agentOf } from './agents.ts';
import {
  decodeSeeds,
  encodeRun,
  encodeRunHead,
  finishBody,
  listQuery,
  runHead,
  runObject,
  runQuery,
  runsReply,
  startBody,
} from './wire.ts';

// How many of each run's seeded files and outputs a list of runs and the answer to a start or finish show.
const SHOWN = 100;

const MISSING = { description: 'There is no such agent or run.' };

export function startRoute(core: Core): Route {
  return {
    method: 'POST',
    path: '/agent/:agentId/runs',
    name: 'runs.start',
    summary: 'Copy files into the workspace, all or none, and begin a run.',
    access: 'runs:write',
    body: startBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      201: { description: 'The run, with what was copied in.', schema: runObject },
      400: { description: 'A bad entry of `files`, or another field.' },
      404: { description: 'A file is missing. Nothing has changed.' },
      409: { description: 'A run is live, another user’s workspace, or files in the way. Nothing has changed.' },
      507: { description: 'The files do not fit. Nothing has changed.' },
    },
    handle: async (call) => {
      const agent = agentOf(call, 'runs:write');
      const body = await call.json<z.infer<typeof startBody>>();
      const run = await core.runs.start(call.grant, agent, wantedBy(body, call.grant));
      return {
        status: 201,
        headers: { Location: `${call.publicUrl}/agent/${agent}/runs/${run.id}` },
        json: await whole(core, call.grant, run),
      };
    },
  };
}

function wantedBy(body: z.infer<typeof startBody>, grant: Grant): RunWanted {
  return {
    seeds: decodeSeeds(body.files),
    inputs: typeof body.inputs === 'string' ? body.inputs : body.inputs.map(parseObjectId),
    userId: actingFor(grant, body.user_id),
    sessionId: body.session_id ?? null,
    onConflict: body.on_conflict,
    capture: captureRules(body.capture),
    timeoutSeconds: body.timeout_seconds,
  };
}

function captureRules(wanted: z.infer<typeof startBody>['capture']): CaptureRules {
  if (typeof wanted === 'boolean') return { enabled: wanted, include: [], exclude: null };
  return { enabled: true, include: wanted.include ?? [], exclude: wanted.exclude ?? null };
}

export function listRunsRoute(core: Core): Route {
  return {
    method: 'GET',
    path: '/agent/:agentId/runs',
    name: 'runs.list',
    summary: 'List the runs of an agent, newest first.',
    access: 'runs:read',
    query: listQuery,
    replies: { 200: { description: 'One page.', schema: runsReply }, 404: MISSING },
    handle: async (call) => {
      const { limit, cursor = null } = call.query<z.infer<typeof listQuery>>();
      const agent = agentOf(call, 'runs:read');
      const page = await core.runs.list(call.grant, agent, { limit, cursor });
      // The runs of an agent outlive it; only one that has none and is none is unknown.
      if (page.items.length === 0) await core.agents.get(call.grant.tenant, agent);
      const runs = [];
      for (const run of page.items) runs.push(await whole(core, call.grant, run));
      return { status: 200, json: { runs, ...(page.next === null ? {} : { next_cursor: page.next }) } };
    },
  };
}

export function getRunRoute(core: Core): Route {
  return {
    method: 'GET',
    path: '/agent/:agentId/runs/:runId',
    name: 'runs.get',
    summary: 'One run; `seeded` and `outputs` page by cursors of their own.',
    access: 'runs:read',
    query: runQuery,
    replies: { 200: { description: 'The run.', schema: runObject }, 404: MISSING },
    handle: async (call) => {
      const query = call.query<z.infer<typeof runQuery>>();
      const run = await core.runs.get(call.grant, agentOf(call, 'runs:read'), runOf(call));
      const seeded = { limit: query.limit, cursor: query.seeded_cursor ?? null };
      const outputs = { limit: query.limit, cursor: query.outputs_cursor ?? null };
      return { status: 200, json: await whole(core, call.grant, run, seeded, outputs) };
    },
  };
}

export function heartbeatRoute(core: Core): Route {
  return {
    method: 'POST',
    path: '/agent/:agentId/runs/:runId/heartbeat',
    name: 'runs.heartbeat',
    summary: 'Say that the run is alive: its timeout starts anew.',
    access: 'runs:write',
    replies: {
      200: { description: 'The run, without its lists.', schema: runHead },
      404: MISSING,
      409: { description: 'The run has finished.' },
    },
    handle: async (call) => {
      const run = await core.runs.heartbeat(call.grant, agentOf(call, 'runs:write'), runOf(call));
      return { status: 200, json: encodeRunHead(run) };
    },
  };
}

export function finishRoute(core: Core): Route {
  return {
    method: 'POST',
    path: '/agent/:agentId/runs/:runId/finish',
    name: 'runs.finish',
    summary: 'Capture what changed and end the run. Again with the same status: the same answer.',
    access: 'runs:write',
    body: finishBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      200: { description: 'The run with its outputs.', schema: runObject },
      404: MISSING,
      409: { description: 'It has finished with another status.' },
    },
    handle: async (call) => {
      const { status } = await call.json<z.infer<typeof finishBody>>();
      const run = await core.runs.finish(call.grant, agentOf(call, 'runs:write'), runOf(call), status);
      return { status: 200, json: await whole(core, call.grant, run) };
    },
  };
}

function runOf(call: Call) {
  return parseRunId(call.param('runId'));
}

const FIRST: PageRequest = { limit: SHOWN, cursor: null };

/** The run with the first page of its lists, or the pages asked for. */
async function whole(core: Core, grant: Grant, run: Run, seededPage = FIRST, outputsPage = FIRST) {
  const [seeded, outputs, skipped] = await Promise.all([
    core.runs.seeded(run.id, seededPage),
    core.runs.outputs(grant, run.id, outputsPage),
    core.runs.skipped(run.id),
  ]);
  return encodeRun(run, { seeded, outputs, skipped });
}
