// An agent at work in its mount, the current directory: what it can do with what the daemon made, and things of its own.
import { appendFile, chmod, mkdir, readFile, rename, rm, rmdir, utimes, writeFile } from 'node:fs/promises';

const ACTS = {
  read: () => readFile('api/read'),
  append: () => appendFile('api/append', ' and the agent'),
  chmod: () => chmod('api/chmod', 0o600),
  utimes: () => utimes('api/utimes', 1, 1),
  rename: () => rename('api/rename', 'api/renamed'),
  remove: () => rm('api/remove'),
  create: () => writeFile('api/dir/created', 'by the agent'),
  rmdir: () => rmdir('api/empty'),
};

const told = { uid: process.getuid() };
for (const [name, act] of Object.entries(ACTS)) {
  told[name] = await act().then(
    () => 'done',
    (error) => error.code,
  );
}
await mkdir('own', { mode: 0o700 }).catch(() => undefined);
for (const name of ['read', 'write', 'chmod', 'utimes', 'move', 'remove']) {
  await writeFile(`own/${name}`, `${name} of the agent`, { mode: 0o600 }).catch(() => undefined);
}
console.log(JSON.stringify(told));
