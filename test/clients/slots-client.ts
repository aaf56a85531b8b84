/**
 * A client of presigned storage as users of that API write it, after its public documentation: nothing in it knows this program.
 * Only the base URL and the API key are given.
 */

export interface UploadSlot {
  readonly file_id: string;
  readonly upload_url: string;
  readonly expires_at: string;
  readonly required_headers: Readonly<Record<string, string>>;
}

export interface StoredFile {
  readonly file_id: string;
  readonly file_name: string | null;
  readonly content_type: string;
  readonly visibility: 'private' | 'public';
  readonly status: 'pending_upload' | 'uploaded' | 'error_state' | 'deleted';
  readonly file_size: string;
  readonly created_at: string;
  readonly download_request_count: number;
}

export interface FileListing {
  readonly files: readonly StoredFile[];
  readonly limit: number;
  readonly offset: number;
  readonly has_more: boolean;
}

export interface UploadOptions {
  readonly fileName?: string;
  readonly visibility?: 'private' | 'public';
}

class StorageError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class StorageClient {
  readonly #baseUrl: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(baseUrl: string, apiKey: string) {
    this.#baseUrl = baseUrl;
    this.#headers = { 'X-Sapiom-Api-Key': apiKey };
  }

  /** Reserves a slot and puts the bytes there; the id of the file. */
  async upload(bytes: Uint8Array, contentType: string, options: UploadOptions = {}): Promise<string> {
    const slot = await this.requestUpload(bytes.byteLength, contentType, options);
    const response = await fetch(slot.upload_url, {
      method: 'PUT',
      headers: slot.required_headers,
      body: new Uint8Array(bytes),
    });
    if (!response.ok) throw new StorageError(response.status, await response.text());
    return slot.file_id;
  }

  requestUpload(size: number, contentType: string, options: UploadOptions = {}): Promise<UploadSlot> {
    const { fileName, visibility } = options;
    return this.#call('POST', '/upload', {
      content_type: contentType,
      expected_file_size: String(size),
      ...(fileName === undefined ? {} : { file_name: fileName }),
      ...(visibility === undefined ? {} : { visibility }),
    });
  }

  async downloadUrl(fileId: string): Promise<string> {
    const { download_url: url } = await this.#call<{ download_url: string }>('GET', `/download/${fileId}`);
    return url;
  }

  async download(fileId: string): Promise<Uint8Array> {
    const response = await fetch(await this.downloadUrl(fileId));
    if (!response.ok) throw new StorageError(response.status, await response.text());
    return new Uint8Array(await response.arrayBuffer());
  }

  list(limit: number, offset: number): Promise<FileListing> {
    return this.#call('GET', `/files?limit=${limit}&offset=${offset}`);
  }

  setVisibility(fileId: string, visibility: 'private' | 'public'): Promise<StoredFile> {
    return this.#call('PATCH', `/${fileId}`, { visibility });
  }

  async remove(fileId: string): Promise<void> {
    await this.#call('DELETE', `/${fileId}`);
  }

  async #call<T>(method: string, path: string, json?: object): Promise<T> {
    const typed = json === undefined ? {} : { 'Content-Type': 'application/json' };
    const response = await fetch(`${this.#baseUrl}${path}`, {
      method,
      headers: { ...this.#headers, ...typed },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    const text = await response.text();
    if (!response.ok) throw new StorageError(response.status, text);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}
