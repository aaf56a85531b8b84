import type { Core } from '../../../core/core.ts';
import { parsePath } from '../../../tree/path.ts';
import type { Route } from '../../call.ts';
import { etagOf, expectedBy } from '../../verbs/conditions.ts';
import { openToChange } from './target.ts';
import { type EditBody, editBody, editReply, showPath } from './wire.ts';

export function editRoute(core: Core, maxBytes: number): Route {
  return {
    method: 'POST',
    path: '/operations/edit',
    name: 'filesystem.edit',
    summary:
      'Replace text in a file exactly, all edits or none, and show the difference. CRLF and a byte order mark are kept. ' +
      'It becomes a new file under the name: a process that has it open keeps the old one.',
    access: 'workspace:write',
    body: editBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      200: { description: 'Edited, or with `dry_run` looked at.', schema: editReply },
      400: { description: 'A bad body, or a directory.' },
      404: { description: 'There is no such file or workspace.' },
      409: {
        description:
          'An `old_string` is absent or not unique: `occurrences` says how often it occurs, `edit` which one it is, from 0. ' +
          'Or a process in the mount changed the file at the same moment.',
      },
      412: { description: 'If-Match names another version.' },
      413: { description: 'The file is, or would be, larger than `EDIT_MAX_BYTES`.' },
      415: { description: 'The file is not UTF-8 text.' },
      429: { description: 'Too many edits of this tenant wait for their turn.' },
      503: { description: 'Too many edits wait for their turn.' },
      507: { description: 'The quota is used up; the old content is as it was.' },
    },
    handle: async (call) => {
      const { path, edits, dry_run: dryRun } = await call.json<EditBody>();
      const target = parsePath(path);
      const volume = await openToChange(core, call);
      const options = { maxBytes, expected: expectedBy(call.conditions), dryRun, signal: call.signal };
      const { entry, occurrences, diff } = await core.edits.edit(volume, target, edits.map(editOf), options);
      const etag = etagOf(entry);
      const cut = diff.isCut ? { diff_truncated: true } : {};
      return {
        status: 200,
        headers: { ETag: etag },
        json: { path: showPath(target), occurrences, diff: diff.text, ...cut, etag },
      };
    },
  };
}

function editOf(edit: EditBody['edits'][number]) {
  return { oldString: edit.old_string, newString: edit.new_string, replaceAll: edit.replace_all };
}
