import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { ERROR_CODES } from '../errors.ts';
import type { Access, Route } from './call.ts';
import { objectOf } from './decode.ts';
import { METHOD_NAMES, type MountedRoute } from './routes.ts';

/** An OpenAPI 3.1 document, as JSON. */
export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

type Content = NonNullable<NonNullable<RouteConfig['request']>['body']>['content'];
type Responses = RouteConfig['responses'];

const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.enum(ERROR_CODES),
    error: z.string().meta({ description: 'The same sentence as `detail`.' }),
    path: z.string().optional(),
    used: z.number().optional(),
    limit: z.number().optional(),
    requested: z.number().optional(),
    occurrences: z.number().int().optional().describe('Of a text that was to be replaced: how often it occurs.'),
    edit: z.number().int().optional().describe('Of several edits: which one this is about, from 0.'),
    unit: z.enum(['bytes', 'files']).optional(),
  })
  .meta({ id: 'Problem', description: 'An error, as RFC 9457 has it.' });

const IDEMPOTENCY = z.object({
  'Idempotency-Key': z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe(
      'Printable ASCII, new for every request of its own. The same request with the same key is done once, and gets the first answer for a day.',
    ),
});

/**
 * Describes every mounted route. A wildcard is one path parameter that may hold slashes; a route that is mounted twice
 * is described twice, and its operationId carries the number of the mount from the second on.
 */
export function openApiDocument(
  routes: readonly MountedRoute[],
  about: { readonly title: string; readonly version: string },
): OpenApiDocument {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A JWT or an API key.',
  });
  registry.registerComponent('securitySchemes', 'apiKey', { type: 'apiKey', in: 'header', name: 'X-API-Key' });
  registry.registerComponent('securitySchemes', 'link', { type: 'apiKey', in: 'query', name: 'token' });
  const seen = new Map<string, number>();
  for (const { dialect, route, path } of routes) {
    const times = (seen.get(route.name) ?? 0) + 1;
    seen.set(route.name, times);
    const operationId = times === 1 ? route.name : `${route.name}.${times}`;
    registry.registerPath({ ...operationOf(route, path), operationId, tags: [dialect.name] });
  }
  const tags = [...new Set(routes.map(({ dialect }) => dialect.name))].map((name) => ({ name }));
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({ openapi: '3.1.0', info: about, tags });
}

/** `/files{/*path}` and `/:id` as OpenAPI writes them. */
export function templateOf(path: string): string {
  return path
    .replace(/\{\/\*(\w+)\}/g, '/{$1}')
    .replace(/\/\*(\w+)/g, '/{$1}')
    .replace(/:(\w+)/g, '{$1}');
}

function operationOf(route: Route, path: string): RouteConfig {
  const template = templateOf(path);
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const wild = new Set([...path.matchAll(/\*(\w+)/g)].map(([, name]) => name));
  const params = Object.fromEntries(names.map((name) => [name, paramOf(wild.has(name))]));
  const content = contentOf(route);
  const query = objectOf(route.query);
  return {
    method: METHOD_NAMES[route.method],
    path: template,
    summary: route.summary,
    description: accessWords(route.access),
    security: securityOf(route.access),
    request: {
      ...(names.length === 0 ? {} : { params: z.object(params) }),
      ...(query === null ? {} : { query }),
      ...(route.creates === true ? { headers: IDEMPOTENCY } : {}),
      ...(content === null ? {} : { body: { content } }),
    },
    responses: responsesOf(route),
  };
}

function paramOf(isWild: boolean) {
  return isWild
    ? z.string().meta({ description: 'A path; it may hold slashes, and be empty for the root.' })
    : z.string();
}

function contentOf(route: Route): Content | null {
  const kinds = new Set(route.bodyKinds ?? []);
  if (route.body !== undefined) kinds.add('json');
  if (kinds.size === 0 && route.form === undefined) return null;
  return {
    ...(kinds.has('json') ? { 'application/json': { schema: route.body ?? z.looseObject({}) } } : {}),
    ...(kinds.has('raw') ? { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } : {}),
    ...(route.form === undefined ? {} : { 'multipart/form-data': { schema: route.form } }),
  };
}

function responsesOf(route: Route): Responses {
  const responses: Responses = {};
  for (const [status, { description, schema }] of Object.entries(route.replies)) {
    responses[status] = {
      description,
      ...(schema === undefined ? {} : { content: { 'application/json': { schema } } }),
    };
  }
  responses.default = { description: 'An error', content: { 'application/problem+json': { schema: Problem } } };
  return responses;
}

function accessWords(access: Access): string {
  if (access === 'public') return 'Needs no credential.';
  if (access === 'credential') return 'Needs the scope to write what it is about.';
  if (access === 'signed') return 'Needs the signature in its URL, and no other credential.';
  if (access === 'metrics') return 'Needs the token for metrics; without one set, it answers this machine alone.';
  return `Needs the scope \`${access}\`.`;
}

function securityOf(access: Access): Record<string, string[]>[] {
  if (access === 'public') return [];
  if (access === 'signed') return [{ link: [] }];
  return access === 'metrics' ? [{ bearer: [] }] : [{ bearer: [] }, { apiKey: [] }];
}
