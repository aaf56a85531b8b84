import type { Core, SlotProgress } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import type { Call, Reply, Route } from '../../call.ts';
import { decodeContentRange, requiredHeaders } from './wire.ts';

/** The upload of a slot's bytes by its signed URL, in one go or in pieces. */
export function putRoute(core: Core): Route {
  return {
    method: 'PUT',
    path: '/signed/slots/:id',
    name: 'slots.put',
    summary:
      'Upload the bytes of a slot by its signed URL; no other credential is needed. After a broken upload, Content-Range ' +
      '`bytes */TOTAL` asks how far it came, and `bytes FIRST-LAST/TOTAL` goes on there.',
    access: 'signed',
    bodyKinds: ['raw'],
    replies: {
      200: { description: 'All of it is there, verified and kept. The URL is used up.' },
      308: { description: 'Not all of it is there: `Range` says what is, and is absent where nothing is.' },
      400: { description: 'Another length than declared.' },
      403: { description: 'The URL is not as it was given out, expired or used up; or a required header differs.' },
      404: { description: 'The file was deleted.' },
      409: { description: 'Another upload to this URL is under way, or a piece does not begin where the bytes end.' },
      413: { description: 'Larger than allowed.' },
      507: { description: 'The quota is used up.' },
    },
    handle: async (call) => {
      demandHeaders(call);
      const range = decodeContentRange(call.header('content-range'));
      if (range?.asks === true) return answer(call, await core.slots.progress(call.grant, range.total));
      const delivery = { body: call.body, declaredBytes: call.contentLength, piece: range, found: call.tally.concerns };
      return answer(call, await core.slots.fill(call.grant, delivery));
    },
  };
}

/** @throws forbidden unless each header that the URL was given out with is there, as it was */
function demandHeaders(call: Call): void {
  const { upload } = call.grant;
  if (upload === undefined) throw new FsError('forbidden', 'this link is not for uploading');
  for (const [name, value] of Object.entries(requiredHeaders(upload.contentType, upload.maxBytes))) {
    if (call.header(name) === value) continue;
    throw new FsError('forbidden', `the header ${name} must be "${value}", as required_headers said`);
  }
}

function answer(call: Call, progress: SlotProgress): Reply {
  if ('sha256' in progress) {
    // Whichever piece it was that came last, and where the daemon went down in between, whoever asked for it then.
    call.tally.brought(1);
    return { status: 200, headers: { ETag: `"${progress.sha256}"` }, empty: true };
  }
  const { arrivedBytes } = progress;
  // Nothing has no range.
  return { status: 308, headers: arrivedBytes === 0 ? {} : { Range: `bytes=0-${arrivedBytes - 1}` }, empty: true };
}
