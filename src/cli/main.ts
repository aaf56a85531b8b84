#!/usr/bin/env node
import { demandNode } from './local/node-version.ts';

demandNode(process.versions.node);
// libuv reads this when its pool gets its first work, so it is set before anything else is imported
process.env.UV_THREADPOOL_SIZE ??= '16';
const { runCommand } = await import('./command.ts');
process.exitCode = await runCommand(process.argv, process.env);
