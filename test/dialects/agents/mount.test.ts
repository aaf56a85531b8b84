import { execFileSync } from 'node:child_process';
import yaml from 'yaml';
import type { Mount } from '../../../src/core/core.ts';
import { snippetsOf } from '../../../src/http/dialects/agents/snippets.ts';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { expectGolden, makeWorld, type World } from '../../support/scenario.ts';

/** Paths that break out of a careless quotation. */
const HOSTILE = [
  '/srv/work spaces/tree',
  `/srv/it's/"quoted"/tree`,
  '/srv/$HOME/`id`/$(id)/tree',
  '/srv/a,b,readonly=true/tree',
  '/srv/a:b:ro/tree',
  '/srv/two\nlines\\n/tree',
  '/srv/- #!&*{}[]|>%@/tree',
  '/srv/año\u0085文\u2028/tree',
];

const STRATEGIES: readonly Mount['strategy'][] = ['same-uid', 'capabilities', 'idmapped-mount'];

function mountAt(hostPath: string, strategy: Mount['strategy']): Mount {
  const owner = { uid: 900, gid: 901 };
  const agent = strategy === 'idmapped-mount' ? { uid: 1000, gid: 1001 } : owner;
  return { hostPath, ...owner, mode: '0755', strategy, agent, sentence: '' };
}

/** What a shell makes of a snippet: the words of each command in it. */
function commandsOf(snippet: string): readonly (readonly string[])[] {
  const told = ['sudo', 'docker', 'podman'].map(
    (name) => `${name}() { printf '%s\\0' ${name} "$@"; printf '\\n\\0'; }`,
  );
  const shell = `set -eu\n${told.join('\n')}\n${snippet}\n`;
  const words = execFileSync('sh', ['-c', shell], { env: { AGENT_IMAGE: 'an image' }, encoding: 'utf8' }).split('\0');
  const commands: string[][] = [[]];
  for (const word of words) {
    if (word === '\n') commands.push([]);
    else commands.at(-1)?.push(word);
  }
  return commands.slice(0, -1);
}

/** The fields of one line of CSV, as the engines read `--mount`. */
function fieldsOf(line: string): readonly string[] {
  const fields = line.match(/"(?:[^"]|"")*"|[^,"]+/g) ?? [];
  expect(fields.join(',')).toBe(line);
  return fields.map((field) => (field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field));
}

const wordAfter = (words: readonly string[], option: string) => words[words.indexOf(option) + 1] ?? '';

describe('the snippets of a mount', () => {
  for (const strategy of STRATEGIES) {
    it.each(HOSTILE)(`are one command of a shell for docker and podman, under ${strategy} at %j`, (path) => {
      const { docker, podman } = snippetsOf('a1', mountAt(path, strategy));
      const isMapped = strategy === 'idmapped-mount';
      const [run = [], ...rest] = [...commandsOf(docker)].reverse();
      expect(run.slice(0, 3)).toEqual(['docker', 'run', '--rm']);
      expect(run.at(-1)).toBe('an image');
      expect(wordAfter(run, '--user')).toBe(isMapped ? '1000:1001' : '900:901');
      expect(fieldsOf(wordAfter(run, '--mount'))).toEqual([
        'type=bind',
        `source=${isMapped ? '/run/workspaced/a1' : path}`,
        'target=/workspace',
      ]);
      const options = 'X-mount.idmap=u:900:1000:1 g:901:1001:1';
      expect(rest.reverse()).toEqual(
        isMapped
          ? [
              ['sudo', 'mkdir', '-p', '/run/workspaced/a1'],
              ['sudo', 'mount', '--bind', '-o', options, path, '/run/workspaced/a1'],
            ]
          : [],
      );
      const [only = [], ...none] = commandsOf(podman);
      expect(none).toEqual([]);
      expect(wordAfter(only, '--user')).toBe('900:901');
      const fields = ['type=bind', `source=${path}`, 'target=/workspace', ...(isMapped ? ['idmap'] : [])];
      expect(fieldsOf(wordAfter(only, '--mount'))).toEqual(fields);
      expect(only.includes('--userns')).toBe(isMapped);
      for (const command of [run, only]) {
        expect(command).toEqual(expect.arrayContaining(['--read-only', '--cap-drop', 'ALL', 'no-new-privileges']));
        expect(command.join(' ')).not.toMatch(/privileged |cap-add|setuid/);
      }
    });

    it.each(HOSTILE)(`are a pod as confined as it can be, under ${strategy} at %j`, (path) => {
      const pod = yaml.parse(snippetsOf('A_1', mountAt(path, strategy)).kubernetes);
      expect(pod).toMatchObject({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'agent-a-1' },
        spec: {
          automountServiceAccountToken: false,
          securityContext: { runAsUser: 900, runAsGroup: 901, runAsNonRoot: true },
          containers: [
            {
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [
                { name: 'workspace', mountPath: '/workspace' },
                { name: 'tmp', mountPath: '/tmp' },
              ],
            },
          ],
          volumes: [
            { name: 'workspace', hostPath: { path, type: 'Directory' } },
            { name: 'tmp', emptyDir: {} },
          ],
        },
      });
      expect((pod as { spec: { hostUsers?: boolean } }).spec.hostUsers).toBe(
        strategy === 'idmapped-mount' ? false : undefined,
      );
    });
  }

  it('run nothing in a shell that has no image for them', () => {
    const { docker } = snippetsOf('a1', mountAt('/srv/tree', 'same-uid'));
    expect(() => execFileSync('sh', ['-c', `docker() { echo ran; }; ${docker}`], { env: {}, stdio: 'pipe' })).toThrow(
      /AGENT_IMAGE.*must name the image/,
    );
  });

  it('give a pod a name that Kubernetes takes, whatever the agent is called', () => {
    for (const agent of ['A', '9', `x${'_'.repeat(127)}`, 'a'.repeat(128), 'a-_-b']) {
      const { metadata } = yaml.parse(snippetsOf(agent, mountAt('/t', 'same-uid')).kubernetes) as {
        metadata: { name: string };
      };
      expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
    }
  });
});

describe('a mount where engines find the data root under another path', () => {
  let daemon: TestDaemon;
  let world: World;

  beforeAll(async () => {
    daemon = await startTestDaemon({ env: { MOUNT_DIR: '/srv/data root/' } });
    world = makeWorld(daemon);
    await world.owner.makesAgent('a1');
  });
  afterAll(() => daemon.close());

  it('agents.mount begins with MOUNT_DIR, and its snippets too', async () => {
    const { status, body } = await world.as({ scope: 'admin' }).does('GET /v1/agent/a1/mount');
    expect(status).toBe(200);
    const { uid, gid, snippets, ...mount } = body as { uid: number; gid: number; snippets: Record<string, string> };
    const steady = (text: string) =>
      text.replaceAll(`${uid}:${gid}`, '<uid>:<gid>').replaceAll(world.tenant, '<tenant>');
    expect([uid, gid]).toEqual([process.getuid?.(), process.getgid?.()]);
    const { docker = '', podman = '', kubernetes = '' } = snippets;
    const shown = {
      ...mount,
      ownership: '<ownership>',
      docker: steady(docker).split('\n'),
      podman: steady(podman).split('\n'),
    };
    await expectGolden(
      world,
      JSON.parse(JSON.stringify(shown).replaceAll(world.tenant, '<tenant>')),
      'mount',
      import.meta.url,
    );
    // The daemon itself goes on by its own path.
    await world.owner.writes('a1', 'in/x.txt', 'x');
    const found = await world.owner.does('POST /agent/a1/filesystem/operations/search', { json: { query: 'x.txt' } });
    expect(found.body).toMatchObject({ results: [{ path: '/in/x.txt' }] });
    expect(kubernetes).toContain(`path: "/srv/data root/tenants/${world.tenant}/agents/a1/tree"`);
  });
});
