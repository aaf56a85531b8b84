import { demandNode } from './cli/local/node-version.ts';

demandNode(process.versions.node);
// libuv reads this when its pool gets its first work, so it is set before anything else is imported
process.env.UV_THREADPOOL_SIZE ??= '16';
const { serveOrExplain } = await import('./cli/local/serve.ts');
await serveOrExplain(process.env);
