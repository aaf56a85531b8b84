import type { Core, Intake, Placement, Volume } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { display, join, parseDirectory, parsePath, type TreePath } from '../../../tree/path.ts';
import type { Call, Form, Reply, Route } from '../../call.ts';
import { expectedBy } from '../../verbs/conditions.ts';
import { encodeUploaded, safeRelativePart, uploadForm, uploadReply } from './wire.ts';

const MAX_PARTS = 10_000;

export function uploadRoute(core: Core, maxFileBytes: number): Route {
  return {
    method: 'POST',
    path: '/upload',
    name: 'store.upload',
    summary:
      'Upload one or more files as multipart parts named `files`, below the directory in the field `path`. All of them land, or none.',
    access: 'store:write',
    form: uploadForm,
    creates: true,
    replies: {
      200: { description: 'What was uploaded, in the order of the parts.', schema: uploadReply },
      400: { description: 'No files, a part of another name, or a bad path.' },
      413: { description: 'A file is larger than the store takes. Nothing was kept.' },
      507: { description: 'The quota is used up. Nothing was kept.' },
    },
    handle: async (call) => {
      const volume = await core.volumes.open(call.grant, { kind: 'store', tenant: call.grant.tenant }, 'write');
      return upload(call, volume, maxFileBytes);
    },
  };
}

async function upload(call: Call, volume: Volume, maxBytes: number): Promise<Reply> {
  const intake = volume.intake();
  try {
    const entries = await intake.commit(placementsOf(await receive(call, intake, maxBytes), call));
    call.tally.brought(entries.length);
    return { status: 200, json: { uploaded: entries.map(encodeUploaded) } };
  } catch (error) {
    await intake.abort();
    throw error;
  }
}

function receive(call: Call, intake: Intake, maxBytes: number): Promise<Form> {
  return call.form(
    (body, part) => {
      if (part.field !== 'files') {
        throw new FsError(
          'invalid_request',
          `the part "${part.field}" is not taken here: files go in parts named "files"`,
        );
      }
      // Refuses a bad name before its bytes are read. A prefix may come after the parts, so the path is a guess until the end.
      const replacing = pathBelow(prefixOf(part.fields), part.filename);
      return intake.receive(body, { maxBytes, replacing });
    },
    { maxParts: MAX_PARTS },
  );
}

function placementsOf(form: Form, call: Call): readonly Placement[] {
  if (form.parts.length === 0) {
    throw new FsError('invalid_request', 'the upload holds no files: send at least one part named "files"');
  }
  const expected = expectedBy(call.conditions);
  if (expected !== null && form.parts.length > 1) {
    throw new FsError(
      'invalid_request',
      'If-Match and If-None-Match are about one file; send each in an upload of its own',
    );
  }
  const prefix = prefixOf(form.fields);
  const taken = new Set<TreePath>();
  return form.parts.map(({ filename, staged }) => {
    const path = pathBelow(prefix, filename);
    if (taken.has(path)) {
      throw new FsError('invalid_request', `two files of the upload have the path ${display(path)}`, { path });
    }
    taken.add(path);
    return { path, staged, mode: 'upsert', expected };
  });
}

function prefixOf(fields: Form['fields']): TreePath {
  return parseDirectory(fields.path ?? '');
}

function pathBelow(prefix: TreePath, filename: string): TreePath {
  const safe = safeRelativePart(filename);
  if (safe === '') throw new FsError('invalid_request', 'a part named "files" has no filename to store it under');
  return join(prefix, parsePath(safe));
}
