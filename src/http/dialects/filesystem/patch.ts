import type { Core } from '../../../core/core.ts';
import { type BytePatch, patched } from '../../../core/edits/byte-patch.ts';
import { FsError } from '../../../errors.ts';
import type { Route } from '../../call.ts';
import { etagOf, expectedBy } from '../../verbs/conditions.ts';
import { decodeContent } from '../../verbs/content.ts';
import { openToChange } from './target.ts';
import { encodeUpdated, type PatchBody, patchBody, updateReply } from './wire.ts';

export function patchRoute(core: Core, maxBytes: number): Route {
  return {
    method: 'PATCH',
    path: '/files{/*path}',
    name: 'filesystem.patch',
    summary:
      'Append to a file, put bytes at its start or at a position, or replace some, in one step. Positions count bytes. ' +
      'It becomes a new file under the name: a process that has it open keeps the old one.',
    access: 'workspace:write',
    body: patchBody,
    bodyKinds: ['json'],
    replies: {
      200: { description: 'Changed.', schema: updateReply },
      400: { description: 'A bad body, a directory, or a position beyond the file; the error names its size.' },
      404: { description: 'There is no such file or workspace.' },
      409: { description: 'A process in the mount changed the file at the same moment; try again.' },
      412: { description: 'If-Match names another version.' },
      413: { description: 'The file is, or would be, larger than `EDIT_MAX_BYTES`.' },
      507: { description: 'The quota is used up; the old content is as it was.' },
    },
    handle: async (call) => {
      const path = call.path('path');
      const patch = patchOf(await call.json<PatchBody>());
      const volume = await openToChange(core, call);
      const expected = expectedBy(call.conditions);
      const { entry } = await volume.rewrite(path, async (file) => patched(file, patch), { maxBytes, expected });
      return { status: 200, headers: { ETag: etagOf(entry) }, json: encodeUpdated(entry) };
    },
  };
}

/** @throws invalid_request for a field that the operation has no use for: whoever sent it means something else */
function patchOf({ operation, position, length, ...body }: PatchBody): BytePatch {
  const content = decodeContent(body.content, body.encoding);
  if (length !== undefined && operation !== 'replace') throw unfit(`${operation} takes no length`);
  if (operation === 'append' || operation === 'prepend') {
    if (position !== undefined) throw unfit(`${operation} takes no position; insert does`);
    return { operation, content };
  }
  if (position === undefined) throw unfit(`${operation} needs a position: the byte it begins at, counted from 0`);
  return operation === 'insert'
    ? { operation, content, position }
    : { operation, content, position, length: length ?? null };
}

function unfit(sentence: string): FsError {
  return new FsError('invalid_request', sentence);
}
