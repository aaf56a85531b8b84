import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { unpackZip } from '../archive/zip-read.ts';
import { FsError } from '../errors.ts';
import { readXml, type XmlVisitor } from './xml.ts';

const MAX_ENTRIES = 10_000;
/** Of all parts together, inflated. */
const MAX_BYTES = 128 * 1024 * 1024;

/** Where a part points to another: the kind of the relation, and the name of that part. */
export interface Relation {
  readonly kind: string;
  readonly target: string;
}

/**
 * The parts of a document of an office program: XML files in a zip. They are inflated as they are read, one after the other,
 * and only those that are asked for.
 */
export class OfficePackage {
  readonly #bytes: Buffer;
  #inflated = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Goes through a part. False where there is none of this name. @throws unsupported, too_large, invalid_request */
  async visit(name: string, visitor: XmlVisitor): Promise<boolean> {
    let entries = 0;
    for await (const entry of unpackZip(this.#source(), new AbortController().signal)) {
      entries += 1;
      if (entries > MAX_ENTRIES) throw tooLarge(`more than ${MAX_ENTRIES} parts`);
      if (entry.kind !== 'file' || entry.name.toString().toLowerCase() !== name.toLowerCase()) continue;
      await readXml(this.#counted(await entry.open()), visitor);
      // What the zip's parts took is given back by the event loop, which thousands of them in a row would not let turn.
      await setImmediate();
      return true;
    }
    return false;
  }

  /** @throws unsupported where there is no such part, and as `visit` */
  async demand(name: string, visitor: XmlVisitor): Promise<void> {
    if (await this.visit(name, visitor)) return;
    throw new FsError('unsupported', 'the document lacks a part that every one of its format has');
  }

  /** What a part points to inside the package, by the ids it uses for that; '' asks for those of the package itself. */
  async relations(of: string): Promise<ReadonlyMap<string, Relation>> {
    const slash = of.lastIndexOf('/') + 1;
    const folder = of.slice(0, slash);
    const found = new Map<string, Relation>();
    await this.visit(`${folder}_rels/${of.slice(slash)}.rels`, {
      open(name, { Id, Type = '', Target, TargetMode }) {
        if (name !== 'Relationship' || Id === undefined || Target === undefined || TargetMode === 'External') return;
        found.set(Id, { kind: Type.slice(Type.lastIndexOf('/') + 1), target: resolved(folder, Target) });
      },
    });
    return found;
  }

  /** The part that is the document itself. @throws unsupported where there is none */
  async main(): Promise<string> {
    for (const { kind, target } of (await this.relations('')).values()) if (kind === 'officeDocument') return target;
    throw new FsError('unsupported', 'the file is not a document of an office program');
  }

  async *#counted(content: Readable): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      this.#inflated += chunk.length;
      if (this.#inflated > MAX_BYTES) throw tooLarge(`more than ${MAX_BYTES} bytes in it`);
      yield chunk;
    }
  }

  #source() {
    const bytes = this.#bytes;
    return {
      size: bytes.length,
      stream: ({ start, end } = { start: 0, end: bytes.length - 1 }) => Readable.from([bytes.subarray(start, end + 1)]),
    };
  }
}

function tooLarge(has: string): FsError {
  return new FsError('too_large', `the document has ${has}`);
}

/** A target as parts are named: from the root of the package. */
function resolved(folder: string, target: string): string {
  // The host stands for the package; what is no path becomes the name of no part.
  return URL.parse(target, `part://package/${folder}`)?.pathname.slice(1) ?? '';
}
