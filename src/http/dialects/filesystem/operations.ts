import type { Core } from '../../../core/core.ts';
import type { Route } from '../../call.ts';
import { operationsBody, operationsReplies, relocate } from '../../verbs/relocation.ts';
import { openToChange } from './target.ts';
import { showPath } from './wire.ts';

type Verb = 'copy' | 'move';

const SUMMARIES: Readonly<Record<Verb, string>> = {
  copy: 'Copy a file or a whole directory, or several, with modes, times and metadata.',
  move: 'Move or rename a file or directory, or several. Metadata follows.',
};

/** `POST operations/copy` and `POST operations/move`. */
export function operationRoute(core: Core, verb: Verb): Route {
  return {
    method: 'POST',
    path: `/operations/${verb}`,
    name: `filesystem.${verb}`,
    summary: SUMMARIES[verb],
    access: 'workspace:write',
    body: operationsBody,
    bodyKinds: ['json'],
    creates: true,
    replies: operationsReplies,
    handle: (call) => relocate(call, { verb, showPath, open: () => openToChange(core, call) }),
  };
}
