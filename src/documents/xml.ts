import { SaxesParser } from 'saxes';
import { FsError } from '../errors.ts';
import { encodingByMark } from './encoding.ts';

/** What is told of an XML document on the way through it. Names come without their prefixes. */
export interface XmlVisitor {
  open?(name: string, attributes: Readonly<Record<string, string>>): void;
  text?(text: string): void;
  close?(name: string): void;
  /** True once the rest does not matter. Asked now and then. */
  isDone?(): boolean;
}

const MAX_DEPTH = 256;

/**
 * Goes through XML that comes in pieces, holding none of it. What a document type could declare, entities above all, is not
 * expanded but refused, so nothing is looked up anywhere either.
 * @throws unsupported where it is not well-formed, has a document type, or is nested too deep
 */
export async function readXml(pieces: AsyncIterable<Uint8Array>, visitor: XmlVisitor): Promise<void> {
  const parser = parserFor(visitor);
  let decoder: InstanceType<typeof TextDecoder> | null = null;
  for await (const piece of pieces) {
    if (visitor.isDone?.() === true) return;
    decoder ??= new TextDecoder(encodingByMark(piece) ?? 'utf-8');
    parser.write(decoder.decode(piece, { stream: true }));
  }
  parser.close();
}

function parserFor(visitor: XmlVisitor): Pick<SaxesParser, 'write' | 'close'> {
  const parser = new SaxesParser({ xmlns: false, position: false });
  let depth = 0;
  parser.on('error', (error) => refuse('is not well-formed', error));
  parser.on('doctype', () => refuse('has a document type'));
  parser.on('opentag', ({ name, attributes }) => {
    depth += 1;
    if (depth > MAX_DEPTH) refuse('is nested too deep');
    visitor.open?.(localName(name), attributes);
  });
  parser.on('text', (text) => visitor.text?.(text));
  parser.on('cdata', (text) => visitor.text?.(text));
  parser.on('closetag', ({ name }) => {
    depth -= 1;
    visitor.close?.(localName(name));
  });
  return parser;
}

function refuse(why: string, cause?: unknown): never {
  throw new FsError('unsupported', `a part of the document ${why}`, {}, cause);
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
