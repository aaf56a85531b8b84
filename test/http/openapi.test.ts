import { z } from 'zod';
import type { Core } from '../../src/core/core.ts';
import { queryFlag, queryLimit } from '../../src/http/decode.ts';
import type { Dialect } from '../../src/http/dialect.ts';
import { openApiDocument, templateOf } from '../../src/http/openapi.ts';
import { mountedRoutes } from '../../src/http/routes.ts';
import { route } from './frame.ts';

const Entry = z.object({ name: z.string(), size: z.number().optional() }).meta({ id: 'TestEntry' });
const handle = async () => ({ status: 204, empty: true }) as const;

const dialect: Dialect = {
  name: 'own',
  mounts: ['/own', '/v1/own'],
  routes: () => [
    route({
      method: 'GET',
      path: '/:id/files{/*path}',
      name: 'own.list',
      access: 'store:read',
      query: z.object({ limit: queryLimit(100, 1000), recursive: queryFlag.optional(), cursor: z.string().optional() }),
      replies: { 200: { description: 'a page', schema: z.object({ entries: z.array(Entry) }) } },
      handle,
    }),
    route({
      method: 'POST',
      path: '/:id/files/*path',
      name: 'own.write',
      access: 'store:write',
      body: z.object({ content: z.string(), encoding: z.enum(['utf-8', 'base64']).default('utf-8') }),
      bodyKinds: ['json', 'raw'],
      form: z.object({ file: z.string().meta({ format: 'binary' }), name: z.string().optional() }),
      creates: true,
      replies: { 201: { description: 'made', schema: Entry } },
      handle,
    }),
    route({
      method: 'GET',
      path: '/signed/:id',
      name: 'own.signed',
      access: 'signed',
      replies: { 200: { description: 'bytes' } },
      handle,
    }),
  ],
};

const routes = mountedRoutes([dialect], {} as Core);
const document = JSON.parse(JSON.stringify(openApiDocument(routes, { title: 'test', version: '1' })));

describe('the OpenAPI document', () => {
  it('has every route at every mount', () => {
    for (const { path, route: own } of routes) {
      const operation = document.paths[templateOf(path)]?.[own.method.toLowerCase()];
      expect([path, operation?.summary]).toEqual([path, own.summary]);
    }
    expect(templateOf('/own/:id/files{/*path}')).toBe('/own/{id}/files/{path}');
  });

  it('has one operationId for each operation', () => {
    const ids = operations().map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(['own.list', 'own.list.2']));
  });

  it('has a target for every reference, and a definition for every security scheme', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
    expect(refs).toContain('components/schemas/TestEntry');
    for (const ref of new Set(refs)) {
      const target = ref.split('/').reduce<Record<string, never> | undefined>((node, step) => node?.[step], document);
      expect([ref, typeof target]).toEqual([ref, 'object']);
    }
    for (const { security } of operations()) {
      for (const name of security.flatMap(Object.keys))
        expect(document.components.securitySchemes).toHaveProperty(name);
    }
  });

  it('declares every parameter of a path, once', () => {
    for (const [path, item] of Object.entries<Record<string, Operation>>(document.paths)) {
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
      for (const operation of Object.values(item)) {
        const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
        expect(declared.map(({ name }) => name).sort()).toEqual(wanted);
        expect(declared.every(({ required }) => required)).toBe(true);
      }
    }
  });

  it('says the type of query parameters that are parsed from text', () => {
    const list = operations().find(({ operationId }) => operationId === 'own.list');
    const byName = Object.fromEntries((list?.parameters ?? []).map((parameter) => [parameter.name, parameter]));
    expect(byName.limit).toMatchObject({
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 1000 },
    });
    expect(byName.recursive).toMatchObject({ required: false, schema: { type: 'boolean' } });
  });

  it('offers an Idempotency-Key where something is made', () => {
    const keyOf = (id: string) => {
      const operation = operations().find(({ operationId }) => operationId === id);
      return operation?.parameters?.find((parameter) => parameter.in === 'header');
    };
    expect(keyOf('own.write')).toMatchObject({ name: 'Idempotency-Key', required: false });
    expect(keyOf('own.list')).toBeUndefined();
  });

  it('names every kind of body, and the error body', () => {
    const write = operations().find(({ operationId }) => operationId === 'own.write');
    expect(Object.keys(write?.requestBody?.content ?? {})).toEqual([
      'application/json',
      'application/octet-stream',
      'multipart/form-data',
    ]);
    expect(write?.responses.default).toMatchObject({
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    });
  });
});

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: object;
  }[];
  readonly requestBody?: { readonly content: object };
  readonly responses: Readonly<Record<string, object>>;
  readonly security: readonly object[];
}

function operations(): readonly Operation[] {
  return Object.values<Record<string, Operation>>(document.paths).flatMap((item) => Object.values(item));
}
