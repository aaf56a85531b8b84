/**
 * A client of purpose-tagged files as users of that API write it, after its public documentation: nothing in it knows this
 * program. Only the base URL and the credential are given.
 */

export interface FileObject {
  readonly id: string;
  readonly filename: string | null;
  readonly mimeType: string;
  readonly size: number;
  readonly purpose: 'agent_input' | 'agent_output' | 'knowledge' | null;
  readonly userId: string | null;
  readonly agentId: string | null;
  readonly sessionId: string | null;
  readonly runId: string | null;
  readonly createdAt: string;
}

export interface UploadOptions {
  readonly userId: string;
  readonly filename?: string;
  readonly purpose?: string;
  readonly agentId?: string;
  readonly sessionId?: string;
}

export interface ListFilters {
  readonly userId?: string;
  readonly purpose?: string;
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly runId?: string;
  readonly limit?: number;
}

export class FilesApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class FilesClient {
  readonly #baseUrl: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(baseUrl: string, token: string) {
    this.#baseUrl = baseUrl;
    this.#headers = { Authorization: `Bearer ${token}` };
  }

  /** `curl -F file=@report.pdf -F userId=user_42 -F purpose=agent_input …/v1/files` */
  async upload(content: Blob, name: string, options: UploadOptions): Promise<FileObject> {
    const form = new FormData();
    form.append('file', content, name);
    for (const [field, value] of Object.entries(options)) form.append(field, value);
    return this.#json('/v1/files', { method: 'POST', body: form });
  }

  async uploadBase64(content: string, options: UploadOptions): Promise<FileObject> {
    const body = JSON.stringify({ content, ...options });
    return this.#json('/v1/files', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
  }

  async *list(filters: ListFilters = {}): AsyncGenerator<FileObject> {
    let cursor: string | undefined;
    do {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries({ ...filters, cursor })) {
        if (value !== undefined) query.set(name, String(value));
      }
      const page = await this.#json<{ data: FileObject[]; has_more: boolean; next_cursor?: string }>(
        `/v1/files?${query}`,
      );
      yield* page.data;
      cursor = page.has_more ? page.next_cursor : undefined;
    } while (cursor !== undefined);
  }

  get(id: string): Promise<FileObject> {
    return this.#json(`/v1/files/${id}`);
  }

  async content(id: string): Promise<{ readonly type: string; readonly bytes: Uint8Array }> {
    const response = await this.#ask(`/v1/files/${id}/content`);
    return { type: response.headers.get('content-type') ?? '', bytes: new Uint8Array(await response.arrayBuffer()) };
  }

  url(id: string, expiresIn?: string): Promise<{ readonly url: string; readonly expiresAt: string }> {
    return this.#json(`/v1/files/${id}/url${expiresIn === undefined ? '' : `?expiresIn=${expiresIn}`}`);
  }

  async delete(id: string): Promise<void> {
    await this.#ask(`/v1/files/${id}`, { method: 'DELETE' });
  }

  async #json<T>(path: string, init?: RequestInit): Promise<T> {
    return (await (await this.#ask(path, init)).json()) as T;
  }

  async #ask(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(`${this.#baseUrl}${path}`, {
      ...init,
      headers: { ...this.#headers, ...init.headers },
    });
    if (response.ok) return response;
    const { error } = (await response.json()) as { error: string };
    throw new FilesApiError(response.status, error);
  }
}
