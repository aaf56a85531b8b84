/**
 * Gives package-lock.json the entries that npm leaves out when the registry at hand holds only some platforms' packages:
 * without them `npm ci` refuses the file ("Missing: … from lock file"), everywhere and from every registry. Run after
 * `npm install`; writes nothing when nothing is missing. An entry made here has no hash, since nobody has seen the file;
 * it is skipped on every platform but its own, and `npm install` there, from a full registry, adds the hash.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Locked {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly dev?: boolean;
  readonly [field: string]: unknown;
}

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

/** @throws Error where the name does not say for which platform the package is: it would be installed on every one. */
function platform(name: string): Locked {
  const words = name.split(/[-/]/);
  const os = SYSTEMS.find((system) => words.includes(system));
  const cpu = PROCESSORS.findLast((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined)
    throw new Error(`${name} is not in the lockfile, and its name names no platform`);
  if (os !== 'linux') return { cpu: [cpu], os: [os] };
  return { cpu: [cpu], libc: [words.some((word) => word.startsWith('musl')) ? 'musl' : 'glibc'], os: [os] };
}

/** npm looks from the dependent outwards through each enclosing node_modules. */
function isLocked(packages: Readonly<Record<string, Locked>>, from: string, name: string): boolean {
  for (let home = from; ; home = home.slice(0, Math.max(0, home.lastIndexOf('node_modules/') - 1))) {
    if (`${home === '' ? '' : `${home}/`}node_modules/${name}` in packages) return true;
    if (home === '') return false;
  }
}

const lockfile = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(lockfile, 'utf8')) as { packages: Record<string, Locked> };
const added: Record<string, Locked> = {};
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(lock.packages, path, name)) continue;
    if (!/^\d+\.\d+\.\d+/.test(version))
      throw new Error(`${name} is not in the lockfile, and ${version} names no one version`);
    const dev = entry.dev === true ? { dev: true } : {};
    added[`node_modules/${name}`] = { version, ...dev, optional: true, ...platform(name) };
  }
}
const sorted = Object.entries({ ...lock.packages, ...added }).sort(([a], [b]) => a.localeCompare(b, 'en'));
if (Object.keys(added).length > 0) {
  writeFileSync(lockfile, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
}
console.log(`${Object.keys(added).length} entries added to package-lock.json`);
