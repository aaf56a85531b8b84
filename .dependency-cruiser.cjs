// Who may import whom. docs/architecture.md explains it; test/architecture.test.ts keeps it, and shows that each rule bites.

// One line per folder of src, lowest first. A folder may import itself, the leaves, and what stands here.
const LAYERS = {
  tree: [],
  archive: ['tree/(path|entry)\\.ts$'],
  documents: ['archive/zip-read\\.ts$'],
  db: [],
  auth: [],
  web: [],
  core: ['tree/', 'archive/', 'documents/', 'db/', 'auth/', 'web/'],
  http: ['core/', 'auth/', 'tree/(path|entry|tree|staging)\\.ts$'],
  cli: ['daemon\\.ts$', 'config\\.ts$', 'secrets\\.ts$', 'auth/', 'db/'],
};

// Files that anyone may import, and that import only one another.
const LEAVES = '^src/(errors|ids|clock|durations|host|log|thread-file)\\.ts$';

const importsDown = ([folder, allowed]) => ({
  name: `${folder}-imports-down`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [LEAVES, `^src/${folder}/`, ...allowed.map((path) => `^src/${path}`)] },
});

// What `homes` may import, and nobody else.
const confined = (name, path, homes) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: homes },
  to: { path },
});

const packages = (...names) => `node_modules/(@types/)?(${names.join('|')})/`;

module.exports = {
  forbidden: [
    ...Object.entries(LAYERS).map(importsDown),
    { name: 'leaves-import-leaves', severity: 'error', from: { path: LEAVES }, to: { path: '^src/', pathNot: LEAVES } },
    {
      name: 'main-only-starts',
      severity: 'error',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^src/', pathNot: '^src/cli/local/(serve|node-version)\\.ts$' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'dialects-are-strangers',
      severity: 'error',
      from: { path: '^src/http/dialects/([^/]+)/' },
      to: { path: '^src/http/dialects/([^/]+)/', pathNot: '^src/http/dialects/$1/' },
    },
    {
      name: 'only-real-dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: 'node_modules/@types/' },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    confined('disk-only-in-tree', '^(node:)?fs(/promises)?$', ['^src/tree/', '^src/secrets\\.ts$', '^src/host\\.ts$']),
    confined('daemon-only-in-serve', '^src/daemon\\.ts$', ['^src/cli/local/serve\\.ts$']),
    confined('express-only-in-http', packages('express', 'multer'), [
      '^src/daemon\\.ts$',
      '^src/http/serve\\.ts$',
      '^src/http/multipart\\.ts$',
    ]),
    confined('sql-drivers-only-in-db', packages('better-sqlite3', 'pg'), [
      '^src/db/sqlite[^/]*\\.ts$',
      '^src/db/postgres\\.ts$',
    ]),
    confined('kysely-only-in-db', packages('kysely'), ['^src/db/']),
    confined('chokidar-only-in-watch', packages('chokidar'), ['^src/tree/watch-worker\\.ts$']),
    confined('diff-only-in-edits', packages('diff'), ['^src/core/edits/edit-diff\\.ts$']),
    confined('archivers-only-in-archive', packages('archiver', 'yauzl'), ['^src/archive/']),
    confined('documents-only-in-documents', packages('unpdf', 'saxes', 'html-to-text'), ['^src/documents/']),
    confined('processes-only-in-texts', '^(node:)?child_process$', [
      '^src/core/texts/(confined-process|kept-extractor)\\.ts$',
    ]),
    confined('calls-out-only-in-web', packages('undici', 'ipaddr\\.js'), ['^src/web/']),
    confined('thread-pools-in-place', packages('piscina'), [
      '^src/core/search/searches\\.ts$',
      '^src/tree/small-files\\.ts$',
    ]),
    confined('tus-only-in-uploads', packages('@tus/server'), ['^src/http/dialects/uploads/tus\\.ts$']),
    confined('expressions-in-place', packages('re2js'), ['^src/core/search/line-expression\\.ts$']),
    confined('csv-in-place', packages('csv-stringify'), ['^src/http/dialects/usage/wire\\.ts$']),
    confined('jwt-only-in-auth', packages('jsonwebtoken', 'jwks-rsa'), ['^src/auth/']),
  ],
  options: {
    // Type imports count: a type is a dependency of the reader too.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    // Entries of a package beside its main one.
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
