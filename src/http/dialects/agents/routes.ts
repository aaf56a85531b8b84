import type { Dialect } from '../../dialect.ts';
import { createRoute, deleteRoute, getRoute, listRoute, mountRoute } from './agents.ts';
import { finishRoute, getRunRoute, heartbeatRoute, listRunsRoute, startRoute } from './runs.ts';

/** Agents, and the runs that happen in their workspaces. */
export function agentsDialect(): Dialect {
  return {
    name: 'agents',
    mounts: ['', '/v1'],
    routes: (core) => [
      createRoute(core),
      listRoute(core),
      getRoute(core),
      deleteRoute(core),
      mountRoute(core),
      startRoute(core),
      listRunsRoute(core),
      getRunRoute(core),
      heartbeatRoute(core),
      finishRoute(core),
    ],
  };
}
