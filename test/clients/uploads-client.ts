import { createReadStream } from 'node:fs';
import { type HttpResponse, Upload } from 'tus-js-client';

export interface Finished {
  /** Of the upload. */
  readonly url: string;
  /** Of what it has become. */
  readonly result: string | undefined;
  /** How often it went on after a failure. */
  readonly retries: number;
}

export interface UploadSettings {
  /** `http://HOST/v1/uploads` */
  readonly endpoint: string;
  readonly token: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryDelays?: number[];
  readonly chunkSize?: number;
}

/** Uploads a file as the documentation of tus-js-client shows it. */
export function uploadFile(path: string, settings: UploadSettings): Promise<Finished> {
  const {
    endpoint,
    token,
    metadata,
    retryDelays = [0, 200, 500, 1000, 2000, 3000, 5000, 5000, 5000],
    chunkSize,
  } = settings;
  let retries = 0;
  let last: HttpResponse | null = null;
  return new Promise((resolve, reject) => {
    const upload = new Upload(createReadStream(path), {
      endpoint,
      retryDelays,
      metadata,
      headers: { Authorization: `Bearer ${token}` },
      ...(chunkSize === undefined ? {} : { chunkSize }),
      onAfterResponse: (_request, response) => {
        last = response;
      },
      onShouldRetry: () => {
        retries += 1;
        return true;
      },
      onError: reject,
      onSuccess: () => resolve({ url: upload.url ?? '', result: last?.getHeader('Upload-Result'), retries }),
    });
    upload.start();
  });
}
