import * as fs from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { beneath } from '../../src/tree/beneath.ts';
import { chooseEngine } from '../../src/tree/engine.ts';
import { nameOf, parentOf, parsePath, ROOT } from '../../src/tree/path.ts';
import { openSurvey } from '../../src/tree/survey.ts';
import { staged } from '../contract/tree.contract.ts';
import { type TemporaryHome, temporaryHome } from '../support/tree.ts';

const SECRET = 'SECRET of another tenant';
const UP = '../../../../../outside';

/** Where the attack makes a path lead outside: as an element on the way, as the last element, or by its text. */
const ATTACKS = {
  middle: { secret: 'evil/secret', created: 'evil/new', directory: 'evil/dir' },
  leaf: { secret: 'leaf', created: 'leaf', directory: 'evil' },
  dots: { secret: `${UP}/secret`, created: `${UP}/new`, directory: `${UP}/dir` },
} as const;

type Attack = keyof typeof ATTACKS;
type Where = keyof (typeof ATTACKS)[Attack];

interface Verb {
  readonly on: Where;
  readonly attacks: readonly Attack[];
  /** What a server without a guard would do with the joined path. */
  readonly uncontained: (at: string, home: TemporaryHome) => unknown;
  readonly contained: (home: TemporaryHome, text: string) => Promise<unknown>;
}

const EVERY: readonly Attack[] = ['middle', 'leaf', 'dots'];
// The kernel itself acts on a link that is the last element.
const NOT_LEAF: readonly Attack[] = ['middle', 'dots'];
const PAGE = { after: null, limit: 100, depth: 5 };

const VERBS: Readonly<Record<string, Verb>> = {
  stat: {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at) => ({ size: fs.statSync(at).size }),
    contained: ({ tree }, text) => tree.stat(parsePath(text)),
  },
  find: {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at) => ({ size: fs.statSync(at).size }),
    contained: ({ tree }, text) => tree.find(parsePath(text)),
  },
  open: {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at) => fs.readFileSync(at, 'utf8'),
    contained: async ({ tree }, text) => (await (await tree.open(parsePath(text))).bytes(1000)).toString(),
  },
  list: {
    on: 'directory',
    attacks: EVERY,
    uncontained: (at) => fs.readdirSync(at),
    contained: ({ tree }, text) => tree.list(parsePath(text), PAGE),
  },
  'list, recursive': {
    on: 'directory',
    attacks: ['leaf'],
    uncontained: (at) => fs.readdirSync(`${at}/.`, { recursive: true }),
    contained: ({ tree }) => tree.list(ROOT, PAGE),
  },
  walk: {
    on: 'directory',
    attacks: EVERY,
    uncontained: (at) => fs.readdirSync(at),
    contained: ({ tree }, text) => Array.fromAsync(tree.walk(parsePath(text), { depth: 5, entries: 100 })),
  },
  'survey, its names': {
    on: 'directory',
    attacks: EVERY,
    uncontained: (at) => fs.readdirSync(at),
    contained: async ({ hostPath }, text) => {
      const held = openSurvey(hostPath).hold(parsePath(text));
      return held === null ? null : [...held.names()];
    },
  },
  'survey, a file': {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at) => fs.readFileSync(at, 'utf8'),
    contained: async ({ hostPath }, text) => {
      const path = parsePath(text);
      const held = openSurvey(hostPath).hold(parentOf(path));
      const bytes = Buffer.alloc(100);
      held?.open(nameOf(path))?.read(bytes, 0, bytes.length, 0);
      return [bytes.toString(), { size: held?.sizeOf(nameOf(path)) }];
    },
  },
  count: {
    on: 'secret',
    attacks: ['leaf'],
    uncontained: (at) => ({ size: fs.statSync(at).size }),
    contained: async ({ tree }) => ({ size: (await tree.count()).bytes }),
  },
  'place, create': {
    on: 'created',
    attacks: NOT_LEAF,
    uncontained: (at) => fs.writeFileSync(at, 'new'),
    contained: async (home, text) => home.tree.place(parsePath(text), await staged(home, 'new'), 'create'),
  },
  'place, upsert': {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at) => fs.writeFileSync(at, 'new'),
    contained: async (home, text) => home.tree.place(parsePath(text), await staged(home, 'new'), 'upsert'),
  },
  restore: {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at, home) => fs.copyFileSync(home.at('mine'), at),
    contained: async (home, text) => {
      const aside = home.staging.asideName('run');
      fs.linkSync(home.at('mine'), join(home.hostPath, '../staging', aside));
      return home.staging.restore(home.tree, aside, parsePath(text));
    },
  },
  mkdir: {
    on: 'created',
    attacks: NOT_LEAF,
    uncontained: (at) => fs.mkdirSync(at, { recursive: true }),
    contained: ({ tree }, text) => tree.mkdir(parsePath(text)),
  },
  'move from': {
    on: 'secret',
    attacks: NOT_LEAF,
    uncontained: (at, home) => fs.renameSync(at, home.at('stolen')),
    contained: ({ tree }, text) => tree.move(parsePath(text), parsePath('stolen'), true),
  },
  'move to': {
    on: 'secret',
    attacks: NOT_LEAF,
    uncontained: (at, home) => fs.renameSync(home.at('mine'), at),
    contained: ({ tree }, text) => tree.move(parsePath('mine'), parsePath(text), true),
  },
  remove: {
    on: 'secret',
    attacks: NOT_LEAF,
    uncontained: (at) => fs.unlinkSync(at),
    contained: ({ tree }, text) => tree.remove(parsePath(text), { recursive: false }),
  },
  'remove, recursive': {
    on: 'directory',
    attacks: EVERY,
    uncontained: (at) => fs.rmSync(`${at}/.`, { recursive: true, force: true }),
    contained: ({ tree }, text) => tree.remove(parsePath(text), { recursive: true }),
  },
  rmdirIfEmpty: {
    on: 'directory',
    attacks: NOT_LEAF,
    uncontained: (at) => fs.rmdirSync(`${at}/empty`),
    contained: async ({ tree }, text) => tree.rmdirIfEmpty(parsePath(`${text}/empty`)),
  },
  chmod: {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at) => fs.chmodSync(at, 0o777),
    contained: ({ tree }, text) => tree.chmod(parsePath(text), 0o777),
  },
  chown: {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at) => fs.chownSync(at, process.getuid?.() ?? 0, process.getgid?.() ?? 0),
    contained: ({ tree }, text) => tree.chown(parsePath(text), { uid: process.getuid?.() ?? 0 }),
  },
  utimes: {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at) => fs.utimesSync(at, 1, 1),
    contained: ({ tree }, text) => tree.utimes(parsePath(text), new Date(1000)),
  },
  'staging.copy': {
    on: 'secret',
    attacks: EVERY,
    uncontained: (at, home) => {
      fs.copyFileSync(at, home.at('copied'));
      return fs.readFileSync(home.at('copied'), 'utf8');
    },
    contained: async ({ tree, staging }, text) => staging.copy(await tree.open(parsePath(text))),
  },
  'staging.copyDirectory': {
    on: 'directory',
    attacks: EVERY,
    uncontained: (at, home) => {
      fs.cpSync(`${at}/.`, home.at('copied'), { recursive: true });
      return fs.readdirSync(home.at('copied'));
    },
    contained: ({ tree, staging }, text) => staging.copyDirectory(tree, parsePath(text), async () => undefined),
  },
  'staging.directory': {
    on: 'created',
    attacks: EVERY,
    uncontained: (at) => fs.writeFileSync(at, 'x'),
    contained: async ({ staging }, text) => {
      const directory = await staging.directory(ROOT);
      // Both links of the tree, as an archive may bring them along.
      await directory.symlink(parsePath('evil'), `../${UP}`);
      await directory.symlink(parsePath('leaf'), `../${UP}/secret`);
      const options = { mode: 0o644, modifiedAt: null, onBytes: () => undefined };
      await directory.write(parsePath(text), Readable.from([Buffer.from('x')]), options);
      await directory.finish();
    },
  },
};

async function attacked(): Promise<TemporaryHome> {
  const home = await temporaryHome([
    'mine: my own',
    'evil => ../../../../../outside',
    'leaf => ../../../../../outside/secret',
  ]);
  fs.writeFileSync(join(home.outside, 'secret'), SECRET);
  fs.mkdirSync(join(home.outside, 'dir/empty'), { recursive: true });
  for (const name of ['hidden', 'dir/hidden']) fs.writeFileSync(join(home.outside, name), SECRET);
  return home;
}

/** Everything that must not change, as text. */
function picture(directory: string): string {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted();
  const parts = names.map((name) => {
    const { mode, mtimeMs, ctimeMs, size } = fs.lstatSync(join(directory, name));
    return [name, mode, mtimeMs, ctimeMs, size];
  });
  return JSON.stringify(parts);
}

/** Whether the call brought something in from outside or changed something there. */
async function escapes(home: TemporaryHome, call: () => unknown): Promise<boolean> {
  const before = picture(home.outside);
  let answer: unknown = null;
  try {
    answer = await call();
  } catch {
    // Refused; what counts is what it did.
  }
  const told = JSON.stringify(answer) ?? '';
  const isTold = told.includes(SECRET) || told.includes('hidden') || told.includes(`"size":${SECRET.length}`);
  return isTold || picture(home.outside) !== before;
}

const CASES = Object.entries(VERBS).flatMap(([verb, { attacks }]) => attacks.map((attack) => [verb, attack] as const));

describe('escapes', () => {
  it.each(CASES)(
    'tree.%s stays inside when the path leads out by its %s, and would not without the guard',
    async (name, attack) => {
      const verb = VERBS[name];
      if (verb === undefined) throw new Error('the cases are made of the table');
      const text = ATTACKS[attack][verb.on];
      using open = await attacked();
      expect(await escapes(open, () => verb.uncontained(join(open.hostPath, text), open))).toBe(true);
      using home = await attacked();
      expect(await escapes(home, () => verb.contained(home, text))).toBe(false);
    },
  );

  it('a hard link to a file outside is replaced and its content never changed', async () => {
    using home = await attacked();
    fs.linkSync(join(home.outside, 'secret'), home.at('hard'));
    await home.tree.place(parsePath('hard'), await staged(home, 'new'), 'upsert');
    expect(fs.readFileSync(join(home.outside, 'secret'), 'utf8')).toBe(SECRET);
    fs.linkSync(join(home.outside, 'secret'), home.at('control'));
    fs.writeFileSync(home.at('control'), 'new');
    expect(fs.readFileSync(join(home.outside, 'secret'), 'utf8')).toBe('new');
  });

  it('a parent swapped for a link after the check still is the directory that was checked', async () => {
    using home = await attacked();
    fs.mkdirSync(home.at('dir'));
    fs.writeFileSync(home.at('dir/secret'), 'inside');
    const anchor = { engine: chooseEngine(false), hostPath: home.hostPath };
    const read = await beneath(anchor, parsePath('dir/secret'), async (directory, name) => {
      fs.renameSync(home.at('dir'), home.at('moved'));
      fs.symlinkSync(UP, home.at('dir'));
      return fs.readFileSync(directory.at(name), 'utf8');
    });
    expect(read).toBe('inside');
    expect(fs.readFileSync(home.at('dir/secret'), 'utf8')).toBe(SECRET);
  });
});
