import { z } from 'zod';
import type { Core } from '../../../core/core.ts';
import { parsePath } from '../../../tree/path.ts';
import type { Route } from '../../call.ts';
import { etagOf, expectedBy } from '../../verbs/conditions.ts';
import { workspaceOf } from './target.ts';
import { createReply, encodeCreated } from './wire.ts';

const fetchBody = z.object({
  url: z
    .string()
    .describe('Of http or https, on the public internet.')
    .meta({ example: 'https://example.com/data.csv' }),
  path: z.string().describe('Where the file is to be.').meta({ example: '/data/data.csv' }),
  overwrite: z.boolean().default(false).describe('Replace a file that exists.'),
});

/** `POST operations/fetch` */
export function fetchRoute(core: Core, maxFileBytes: number): Route {
  return {
    method: 'POST',
    path: '/operations/fetch',
    name: 'filesystem.fetch',
    summary: 'Download a file from the public web into the workspace, where FETCH_ENABLED allows it.',
    access: 'workspace:write',
    body: fetchBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      201: { description: 'The whole file is there.', schema: createReply },
      400: { description: 'A bad path or url, or an answer other than 200 that trying again will not change.' },
      403: { description: 'Switched off, or the host of the url or of a redirect has no public address.' },
      409: { description: 'Something is there already; `overwrite` replaces a file.' },
      412: { description: 'The file that is there is not what If-Match or If-None-Match demands.' },
      413: { description: 'Larger than allowed.' },
      429: { description: 'This tenant has too many downloads under way.' },
      503: { description: 'The server failed or was too slow; trying again may help.' },
      507: { description: 'The quota is used up; nothing was written.' },
    },
    handle: async (call) => {
      const { url, path, overwrite } = await call.json<z.infer<typeof fetchBody>>();
      const wanted = {
        url,
        path: parsePath(path),
        mode: overwrite ? 'upsert' : 'create',
        maxBytes: maxFileBytes,
        expected: expectedBy(call.conditions),
      } as const;
      const entry = await core.imports.fetch(call.grant, workspaceOf(call), wanted, call.signal);
      return { status: 201, headers: { ETag: etagOf(entry) }, json: encodeCreated(entry) };
    },
  };
}
