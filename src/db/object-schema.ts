/** The tables of files by id and of uploads; what `schema.ts` says of the others holds of these. */

export interface ObjectRow {
  id: string;
  tenant: string;
  user_id: string | null;
  agent_id: string | null;
  session_id: string | null;
  run_id: string | null;
  purpose: 'agent_input' | 'agent_output' | 'knowledge' | null;
  status: 'pending_upload' | 'uploaded' | 'error_state' | 'deleted';
  visibility: 'private' | 'public';
  filename: string | null;
  mime_type: string;
  /** null while pending, until every byte has come. */
  size: number | null;
  /** The content it refers to, or null. */
  sha256: string | null;
  /** Where in the workspace a captured output lay (pathKey), else null. */
  path: string | null;
  created_at: number;
  deleted_at: number | null;
  /** What the maker of a slot said its bytes will come to, or null. */
  expected_size: number | null;
  /** null while pending. */
  uploaded_at: number | null;
  /** Until when a pending object can be filled; null for every other, once what it held as a slot is given back. */
  slot_until: number | null;
  /** When it is to be removed, or null. */
  expires_at: number | null;
  /** How often a link to its bytes was asked for. */
  downloads: number;
}

/** Bytes kept once per content and tenant. */
export interface ContentRow {
  tenant: string;
  sha256: string;
  size: number;
  refs: number;
}

/** A file that arrives in several goes: its bytes are a partial file in the staging of its part, its room a row of `holds`. */
export interface UploadRow {
  id: string;
  tenant: string;
  /** What it is charged to, and where it finishes; as in usage. */
  part: string;
  /** Where in a volume it finishes (pathKey); null for an object. */
  path: string | null;
  /** JSON of what the object is to be made with; null for a path of a volume. */
  meta: string | null;
  /** What the client said of it, word for word. */
  metadata: string;
  length: number;
  /** How many bytes are there and survive a power cut. */
  received: number;
  /** `whole`: all bytes are there. `placing`: being put in place. `kept`: the object is made. `done`: it has finished. */
  status: 'open' | 'whole' | 'placing' | 'kept' | 'done';
  /** Of an object's content, once it is being placed: the upload holds a reference to it until the object does. */
  sha256: string | null;
  object_id: string | null;
  /** 1 while another process waits for whoever works on it to let go. */
  wanted: number;
  created_at: number;
  /** A while after the last byte: then it goes, or is forgotten where it is done. */
  expires_at: number;
  /** When the sweeper is to put it in place where nobody else did; null while bytes are missing, and when it is done. */
  settle_at: number | null;
}
