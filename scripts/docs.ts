/** Writes what the docs say of settings and calls from the tables the program itself reads. `npm run docs`. */
import { readFile, writeFile } from 'node:fs/promises';
import { SETTINGS } from '../src/config.ts';
import type { Core } from '../src/core/core.ts';
import { allDialects } from '../src/http/dialects/index.ts';
import { HTTP_STATUS } from '../src/http/errors.ts';
import { templateOf } from '../src/http/openapi.ts';

const README = new URL('../README.md', import.meta.url);
const HTTP = new URL('../docs/http.md', import.meta.url);
const SETTINGS_SECTION = /(<!-- settings -->\n)[\s\S]*?(<!-- \/settings -->)/;

/** The README with its table of settings as the program reads them. */
export function withSettings(readme: string): string {
  const rows = SETTINGS.map(
    ({ variable, shownDefault, meaning }) => `| \`${variable}\` | ${code(shownDefault)} | ${meaning} |`,
  );
  const table = ['| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
  return readme.replace(SETTINGS_SECTION, (_, begin: string, end: string) => `${begin}${table}\n${end}`);
}

function code(text: string): string {
  return /^(none|made|the )/.test(text) ? text : `\`${text}\``;
}

/** Every call of every API, and every error code. */
export function httpPage(): string {
  const limits = {
    storeMaxFileBytes: 0,
    workspaceMaxFileBytes: 0,
    filesMaxFileBytes: 0,
    slotMaxFileBytes: 0,
    mediaMaxFileBytes: 0,
    mediaSignedUrls: false,
    mediaDocumentHandling: 'extract' as const,
    jsonMaxBytes: 0,
    editMaxBytes: 0,
  };
  // Routes are only listed, never handled, so they need no core behind them.
  const core = {} as Core;
  const sections = allDialects({ ...limits, clock: () => new Date() }).map((dialect) => {
    const rows = dialect.routes(core).map((route) => {
      const paths = dialect.mounts.map((mount) => `\`${route.method} ${templateOf(mount + route.path)}\``);
      const name = route.creates === true ? `${route.name} ¹` : route.name;
      return `| ${name} | ${paths.join('<br>')} | ${route.access} | ${route.summary} | ${Object.keys(route.replies).join(', ')} |`;
    });
    const head = ['| call | request | needs | what it does | answers |', '| --- | --- | --- | --- | --- |'];
    return [`## ${dialect.name}`, '', ...head, ...rows, ''].join('\n');
  });
  const codes = Object.entries(HTTP_STATUS).map(([name, status]) => `| \`${name}\` | ${status} |`);
  return [
    '# Every call',
    '',
    'Made by `npm run docs` from the tables the server routes by. A running daemon describes the same, with every field, at `/docs` and',
    '`/openapi.json`. Calls marked ¹ take an [`Idempotency-Key`](idempotency.md).',
    '',
    ...sections,
    '## Error codes',
    '',
    'With the status they have unless a call says another.',
    '',
    '| code | status |',
    '| --- | --- |',
    ...codes,
    '',
  ].join('\n');
}

if (import.meta.main) {
  await writeFile(README, withSettings(await readFile(README, 'utf8')));
  await writeFile(HTTP, httpPage());
}
