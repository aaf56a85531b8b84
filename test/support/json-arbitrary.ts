import * as fc from 'fast-check';
import { type ZodType, z } from 'zod';

/** The part of a JSON schema that bodies are made by. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly pattern?: string;
}

const anything = fc.jsonValue({ maxDepth: 2 });
const edges = fc.constantFrom(-1, 0, 1, 2, 3.5, 99_999, 2 ** 31, Number.MAX_SAFE_INTEGER, 1e300, -0);

/**
 * Bodies that a schema is close to: mostly its fields, mostly of their types, each at times missing or something else. What they
 * hold is text of `words` and of anything.
 */
export function bodiesOf(schema: ZodType, words: readonly string[]): fc.Arbitrary<unknown> {
  const text = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...words) },
    fc.string({ unit: 'binary', maxLength: 8 }),
  );

  function near({ anyOf, oneOf, ...one }: Schema): fc.Arbitrary<unknown> {
    const choices = [...(anyOf ?? []), ...(oneOf ?? [])];
    if (choices.length > 0) return fc.oneof(...choices.map(near));
    if (one.const !== undefined) return fc.constant(one.const);
    return fc.oneof({ weight: 40, arbitrary: asTold(one) }, anything);
  }

  function asTold({ type, enum: values, items, minItems, pattern, ...one }: Schema): fc.Arbitrary<unknown> {
    if (values !== undefined) return fc.constantFrom(...values);
    switch (type) {
      case 'object':
        return objectOf(one.properties ?? {}, new Set(one.required));
      case 'array':
        return fc.array(near(items ?? {}), { minLength: Math.min(minItems ?? 0, 3), maxLength: 3 });
      case 'string':
        return pattern === undefined
          ? text
          : fc.oneof({ weight: 3, arbitrary: fc.stringMatching(new RegExp(pattern)) }, text);
      case 'boolean':
        return fc.boolean();
      case 'integer':
      case 'number':
        return edges;
      default:
        return anything;
    }
  }

  function objectOf(
    properties: Readonly<Record<string, Schema>>,
    required: ReadonlySet<string>,
  ): fc.Arbitrary<unknown> {
    const fields = Object.entries(properties).map(([name, field]) =>
      fc
        .option(near(field), { freq: required.has(name) ? 40 : 1, nil: undefined })
        .map((value) => (value === undefined ? [] : [[name, value]])),
    );
    return fc.tuple(...fields).map((entries) => Object.fromEntries(entries.flat()));
  }

  return near(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema);
}
