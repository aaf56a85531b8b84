/** A client of the multimodal media API as its users write it: `fetch`, a base URL and a bearer token. */

export interface MediaFile {
  readonly file_id: string;
  readonly mime_type: string;
  readonly size_bytes: number;
  readonly filename: string;
  readonly extracted_text: string | null;
  readonly direct_url: string | null;
  readonly direct_url_expires_at: number | null;
}

export interface MediaConfig {
  readonly media_storage_type: string;
  readonly media_storage_path: string;
  readonly media_max_size_mb: number;
  readonly document_handling: 'extract' | 'raw';
}

export interface MediaUrl {
  readonly file_id: string;
  readonly url: string;
  readonly expires_at: number | null;
  readonly mime_type: string;
}

interface Envelope<T> {
  readonly data: T;
  readonly metadata: { readonly request_id: string; readonly timestamp: string; readonly message: string };
}

class MediaError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class MediaClient {
  readonly #baseUrl: string;
  readonly #token: string;
  #config: Promise<MediaConfig> | null = null;

  constructor({ baseUrl, token }: { readonly baseUrl: string; readonly token: string }) {
    this.#baseUrl = baseUrl;
    this.#token = token;
  }

  /** What the server takes; asked once. */
  config(): Promise<MediaConfig> {
    this.#config ??= this.#get<MediaConfig>('/v1/config/multimodal');
    return this.#config;
  }

  async upload(file: Blob, filename?: string): Promise<MediaFile & { readonly url: string }> {
    const { media_max_size_mb: limit } = await this.config();
    if (file.size > limit * 1024 * 1024) throw new MediaError(413, `files may have ${limit} MB`);
    const form = new FormData();
    form.append('file', file, filename ?? (file instanceof File ? file.name : 'upload'));
    const response = await this.#send('/v1/files/upload', { method: 'POST', body: form });
    return ((await response.json()) as Envelope<MediaFile & { url: string }>).data;
  }

  info(id: string): Promise<MediaFile> {
    return this.#get(`/v1/files/${id}/info`);
  }

  url(id: string): Promise<MediaUrl> {
    return this.#get(`/v1/files/${id}/url`);
  }

  async download(id: string): Promise<Blob> {
    return (await this.#send(`/v1/files/${id}`)).blob();
  }

  /** Follows what `upload` or `url` gave: with the credential where it is the API's own. */
  async follow(url: string): Promise<Blob> {
    const isOwn = url.startsWith(this.#baseUrl);
    const response = await fetch(url, isOwn ? { headers: this.#headers() } : {});
    if (!response.ok) throw new MediaError(response.status, await response.text());
    return response.blob();
  }

  async #get<T>(path: string): Promise<T> {
    const { data } = (await (await this.#send(path)).json()) as Envelope<T>;
    return data;
  }

  async #send(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(`${this.#baseUrl}${path}`, { ...init, headers: this.#headers() });
    if (response.ok) return response;
    const { detail } = (await response.json()) as { detail: string };
    throw new MediaError(response.status, detail);
  }

  #headers(): Record<string, string> {
    return { Authorization: `Bearer ${this.#token}` };
  }
}
