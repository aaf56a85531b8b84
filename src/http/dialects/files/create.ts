import { Readable } from 'node:stream';
import type { z } from 'zod';
import type { Core, FileObject } from '../../../core/core.ts';
import type { Call, Form, Route } from '../../call.ts';
import { validate } from '../../decode.ts';
import { decodeContent } from '../../verbs/content.ts';
import { type FileFields, fileFields, metaOf } from '../../verbs/file-fields.ts';
import { partName, withFormFile } from '../../verbs/form-file.ts';
import { sunsetOf } from '../../verbs/object-bytes.ts';
import { createBody, createForm, encodeFile, fileObject } from './wire.ts';

export function createRoute(core: Core, maxFileBytes: number): Route {
  return {
    method: 'POST',
    path: '/v1/files',
    name: 'files.create',
    summary: 'Upload a file: multipart with the part `file`, or JSON with `content` as base64.',
    access: 'files:write',
    body: createBody,
    form: createForm,
    creates: true,
    replies: {
      201: { description: 'The file.', schema: fileObject },
      400: { description: 'No file, no user, or another purpose than the documented ones.' },
      403: { description: 'The credential is bound to another user or agent.' },
      413: { description: 'Larger than allowed.' },
      507: { description: 'The quota is used up.' },
    },
    handle: async (call) => {
      const isForm = call.contentType?.toLowerCase().startsWith('multipart/') ?? false;
      const file = await (isForm ? fromForm(core, call, maxFileBytes) : fromJson(core, call, maxFileBytes));
      call.tally.concerns(file);
      call.tally.brought(1);
      const headers = { Location: `${call.publicUrl}/v1/files/${file.id}`, ...sunsetOf(file) };
      return { status: 201, headers, json: encodeFile(file) };
    },
  };
}

function fromForm(core: Core, call: Call, maxBytes: number): Promise<FileObject> {
  return withFormFile(core, call, { fields: ['file'], maxBytes }, (object, _, form) =>
    object.keep(call.grant, metaOf(fieldsOf(form), call.grant)),
  );
}

async function fromJson(core: Core, call: Call, maxBytes: number): Promise<FileObject> {
  const { content, ...fields } = await call.json<z.infer<typeof createBody>>();
  const meta = metaOf(fields, call.grant);
  const bytes = decodeContent(content, 'base64');
  const received = await core.objects.receive(call.grant.tenant, Readable.from([bytes]), {
    maxBytes,
    declaredBytes: bytes.length,
  });
  return received.keep(call.grant, meta);
}

/** The fields of a form as those of a JSON body; an empty one is as if it were absent. */
function fieldsOf(form: Form): FileFields {
  const filename = partName(form.parts[0]?.filename ?? '');
  const sent = Object.entries(form.fields).filter(([, text]) => text !== '');
  const named = { ...(filename === null ? {} : { filename }), ...Object.fromEntries(sent) };
  return validate(fileFields, named, 'field') as FileFields;
}
