import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { ERROR_CODES } from '../src/errors.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAX_FILE_LINES = 300;
const run = promisify(execFile);

interface Dependency {
  readonly resolved: string;
}
interface Module {
  readonly source: string;
  readonly dependencies: readonly Dependency[];
}
interface Cruise {
  readonly modules: readonly Module[];
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
  };
}
interface Rule {
  readonly name: string;
  readonly from: { readonly path?: string; readonly pathNot?: string | readonly string[] };
  readonly to: { readonly path?: string; readonly pathNot?: string | readonly string[] };
}

/** Cruises `<home>/src` under the project's rules; a breach is an answer here, not a failure. */
async function cruise(home: string): Promise<Cruise> {
  const bin = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const options = ['--config', join(ROOT, '.dependency-cruiser.cjs'), '--output-type', 'json', 'src'];
  const { stdout } = await run(process.execPath, [bin, ...options], { cwd: home, maxBuffer: 64 << 20 });
  return JSON.parse(stdout) as Cruise;
}

const { forbidden } = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as { forbidden: readonly Rule[] };
const list = (patterns: string | readonly string[] | undefined) => [patterns ?? []].flat();

async function sources(folder: string): Promise<readonly { readonly path: string; readonly text: string }[]> {
  const names = await readdir(join(ROOT, folder), { recursive: true });
  const paths = names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name}`);
  return Promise.all(paths.sort().map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') })));
}

const parse = (file: { readonly path: string; readonly text: string }) =>
  ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  node.forEachChild((child) => visit(child, see));
}

describe('import rules', () => {
  let found: Cruise;
  beforeAll(async () => {
    found = await cruise(ROOT);
  });

  it('hold everywhere in src', () => {
    expect(found.modules.length).toBeGreaterThan(10);
    expect(found.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);
  });

  it('have a row for every folder of src, and none for a folder that is gone', async () => {
    const entries = await readdir(join(ROOT, 'src'), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    const rows = forbidden.flatMap(({ name }) => /^(.+)-imports-down$/.exec(name)?.[1] ?? []);
    expect(rows.sort()).toEqual(folders.sort());
  });

  it('allow nothing that nobody uses', () => {
    const uses = (from: string, to: RegExp) =>
      found.modules.some((m) => new RegExp(from).test(m.source) && m.dependencies.some((d) => to.test(d.resolved)));
    const unused = forbidden.flatMap((rule) => {
      const from = rule.from.path ?? '';
      if (rule.name.endsWith('-imports-down')) {
        const others = list(rule.to.pathNot).filter((allowed) => allowed !== from);
        return others
          .filter((allowed) => !uses(from, new RegExp(allowed)))
          .map((allowed) => `${rule.name}: ${allowed}`);
      }
      const homes = /-only-in-/.test(rule.name) ? list(rule.from.pathNot) : [];
      return homes.filter((home) => !uses(home, new RegExp(rule.to.path ?? ''))).map((home) => `${rule.name}: ${home}`);
    });
    expect(unused).toEqual([]);
  });
});

/** For each rule a file that breaks it. Relative targets come into being as empty files, but for the one that must not. */
const BREACHES: Readonly<Record<string, readonly [file: string, imports: string]>> = {
  'tree-imports-down': ['src/tree/breach.ts', '../core/any.ts'],
  'archive-imports-down': ['src/archive/breach.ts', '../core/any.ts'],
  'documents-imports-down': ['src/documents/breach.ts', '../tree/any.ts'],
  'db-imports-down': ['src/db/breach.ts', '../tree/any.ts'],
  'auth-imports-down': ['src/auth/breach.ts', '../db/any.ts'],
  'web-imports-down': ['src/web/breach.ts', '../core/any.ts'],
  'core-imports-down': ['src/core/breach.ts', '../http/any.ts'],
  'http-imports-down': ['src/http/breach.ts', '../db/any.ts'],
  'cli-imports-down': ['src/cli/breach.ts', '../core/any.ts'],
  'leaves-import-leaves': ['src/errors.ts', './config.ts'],
  'main-only-starts': ['src/main.ts', './core/any.ts'],
  'no-cycles': ['src/core/ring.ts', './ring.ts'],
  'dialects-are-strangers': ['src/http/dialects/store/breach.ts', '../files/any.ts'],
  'only-real-dependencies': ['src/auth/dev.ts', 'typescript'],
  'no-unresolved': ['src/auth/lost.ts', './nowhere.ts'],
  'disk-only-in-tree': ['src/core/disk.ts', 'node:fs/promises'],
  'daemon-only-in-serve': ['src/http/starts.ts', '../daemon.ts'],
  'csv-in-place': ['src/http/dialects/agents/table.ts', 'csv-stringify/sync'],
  'express-only-in-http': ['src/http/dialects/files/breach.ts', 'express'],
  'sql-drivers-only-in-db': ['src/core/sql.ts', 'better-sqlite3'],
  'kysely-only-in-db': ['src/core/query.ts', 'kysely'],
  'chokidar-only-in-watch': ['src/tree/other.ts', 'chokidar'],
  'diff-only-in-edits': ['src/http/diff.ts', 'diff'],
  'archivers-only-in-archive': ['src/core/zip.ts', 'yauzl'],
  'documents-only-in-documents': ['src/core/pdf.ts', 'unpdf'],
  'processes-only-in-texts': ['src/core/process.ts', 'node:child_process'],
  'calls-out-only-in-web': ['src/core/calls.ts', 'undici'],
  'thread-pools-in-place': ['src/core/pool.ts', 'piscina'],
  'tus-only-in-uploads': ['src/http/dialects/store/tus.ts', '@tus/server'],
  'expressions-in-place': ['src/core/other.ts', 're2js'],
  'jwt-only-in-auth': ['src/http/token.ts', 'jsonwebtoken'],
};

describe('deliberate breaches', () => {
  it('are each reported by the rule they break', async () => {
    const home = await mkdtemp(join(tmpdir(), 'workspaced-breaches-'));
    try {
      await symlink(join(ROOT, 'node_modules'), join(home, 'node_modules'));
      for (const name of ['package.json', 'tsconfig.json'])
        await writeFile(join(home, name), await readFile(join(ROOT, name)));
      for (const [file, imports] of Object.values(BREACHES)) {
        await mkdir(dirname(join(home, file)), { recursive: true });
        await writeFile(join(home, file), `import '${imports}';\n`);
        const target = join(home, dirname(file), imports);
        if (!imports.startsWith('.') || imports === './nowhere.ts') continue;
        await mkdir(dirname(target), { recursive: true });
        await writeFile(target, 'export {};\n', { flag: 'a' });
      }
      const { violations } = (await cruise(home)).summary;
      const reported = violations.map(({ rule, from }) => `${rule.name}: ${from}`);
      expect(reported).toEqual(
        expect.arrayContaining(Object.entries(BREACHES).map(([name, [file]]) => `${name}: ${file}`)),
      );
    } finally {
      await rm(home, { recursive: true });
    }
  });

  it('exist for every rule', () => {
    expect(Object.keys(BREACHES).sort()).toEqual(forbidden.map(({ name }) => name).sort());
  });
});

describe('the code', () => {
  it(`keeps every file within ${MAX_FILE_LINES} lines`, async () => {
    const files = [...(await sources('src')), ...(await sources('test'))];
    const long = files.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    expect(long.filter(({ lines }) => lines > MAX_FILE_LINES)).toEqual([]);
  });

  it('throws every error code somewhere', async () => {
    const thrown = new Set<string>();
    for (const file of await sources('src')) {
      visit(parse(file), (node) => {
        for (const code of thrownBy(node)) thrown.add(code);
      });
    }
    expect(ERROR_CODES.filter((code) => !thrown.has(code))).toEqual([]);
  });

  it('reads the environment in the two entries alone', async () => {
    const files = (await sources('src')).filter(({ text }) =>
      /\bprocess\s*\.\s*env\b|\{[^}]*\benv\b[^}]*\} = process\b/.test(text),
    );
    const entries = ['src/cli/main.ts', 'src/main.ts'];
    expect(files.map(({ path }) => path).filter((path) => !entries.includes(path))).toEqual([]);
  });

  it('has no `any` and silences no compiler', async () => {
    const found: string[] = [];
    for (const file of await sources('src')) {
      if (/@ts-(ignore|nocheck|expect-error)/.test(file.text)) found.push(file.path);
      visit(parse(file), (node) => {
        if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(file.path);
      });
    }
    expect(found).toEqual([]);
  });

  it('skips no test', async () => {
    const marks = /\b(?:it|test|describe)\.(?:skip|only|todo)\b|\b(?:xit|xdescribe|fit|fdescribe)\(/;
    expect((await sources('test')).filter(({ text }) => marks.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

/** Codes in the first argument of `new FsError(…)`, of a byte limit's `exceeded`, and of the table of errno names. */
function thrownBy(node: ts.Node): readonly string[] {
  if (ts.isNewExpression(node) && node.expression.getText() === 'FsError') return texts(node.arguments?.[0]);
  if (ts.isPropertyAssignment(node) && node.name.getText() === 'exceeded') return texts(node.initializer);
  if (ts.isVariableDeclaration(node) && node.name.getText() === 'BY_ERRNO') return texts(node.initializer);
  return [];
}

function texts(node: ts.Node | undefined): readonly string[] {
  const found: string[] = [];
  if (node !== undefined) visit(node, (part) => ts.isStringLiteral(part) && found.push(part.text));
  return found;
}

describe('the papers', () => {
  it('docs/architecture.md names every folder and top-level file of src, and no file that is gone', async () => {
    const text = await readFile(join(ROOT, 'docs/architecture.md'), 'utf8');
    const paths = (await sources('src')).map(({ path }) => path.split('/').slice(1));
    const names = new Set(
      paths.flatMap((path) => (path.length === 1 ? path : path.slice(0, -1).map((name) => `${name}/`))),
    );
    expect([...names].filter((name) => !text.includes(name))).toEqual([]);

    const files = new Set(['architecture.test.ts', ...paths.flatMap((path) => path.slice(-1))]);
    const named = text.matchAll(/([a-z-]+(?:\.test)?\.ts)\b/g);
    expect([...named].flatMap(([, name]) => name ?? []).filter((name) => !files.has(name))).toEqual([]);
  });

  it('the lockfile names no registry, and has every platform', async () => {
    const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
    };
    const entries = Object.values(lock.packages);
    expect(entries.filter(({ resolved }) => resolved !== undefined)).toEqual([]);
    // npm ci refuses a lockfile without them: `npm run lockfile` puts them in.
    const names = new Set(Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, '')));
    const optional = entries.flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}));
    expect(optional.filter((name) => !names.has(name))).toEqual([]);
  });
});
