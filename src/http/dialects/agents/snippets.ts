import type { Mount } from '../../../core/core.ts';

/** What to paste to run an agent on its workspace. */
export interface Snippets {
  /** For a shell. */
  readonly docker: string;
  /** For a shell. */
  readonly podman: string;
  /** The YAML of a pod. */
  readonly kubernetes: string;
}

type Owner = Mount['agent'];

const TARGET = '/workspace';
const MAX_LABEL = 63;
// Where it is not set, the shell says so instead of running something else.
// biome-ignore lint/suspicious/noTemplateCurlyInString: the braces are the shell's
const IMAGE = '"${AGENT_IMAGE:?must name the image of the agent}"';
// As confined as an engine can: what the agent needs is its workspace and some memory for temporary files.
const CONFINED = '--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges';

/** One way for each engine to mount the workspace of `agentId`, under the ownership strategy that holds. */
export function snippetsOf(agentId: string, mount: Mount): Snippets {
  return { docker: docker(agentId, mount), podman: podman(mount), kubernetes: kubernetes(agentId, mount) };
}

/** Docker maps no ids, so where they must be mapped, the host does it first, at a place of the agent's own. */
function docker(agentId: string, mount: Mount): string {
  const { hostPath, agent, strategy } = mount;
  if (strategy !== 'idmapped-mount') return run('docker', agent, bind(hostPath));
  const mapped = `/run/workspaced/${agentId}`;
  const options = `X-mount.idmap=u:${mount.uid}:${agent.uid}:1 g:${mount.gid}:${agent.gid}:1`;
  return [
    `sudo mkdir -p ${quoted(mapped)}`,
    `sudo mount --bind -o ${quoted(options)} ${quoted(hostPath)} ${quoted(mapped)}`,
    run('docker', agent, bind(mapped)),
  ].join('\n');
}

/** Podman maps the mount to the user namespace of the container, in which files and agent have the owner's id. */
function podman(mount: Mount): string {
  if (mount.strategy !== 'idmapped-mount') return run('podman', mount.agent, bind(mount.hostPath));
  return run('podman', mount, [...bind(mount.hostPath), 'idmap'], ' --userns auto');
}

function run(engine: string, { uid, gid }: Owner, mount: readonly string[], more = ''): string {
  return [
    `${engine} run --rm --user ${uid}:${gid}${more}`,
    `  --mount ${quoted(mount.map(csvField).join(','))}`,
    `  ${CONFINED}`,
    `  ${IMAGE}`,
  ].join(' \\\n');
}

function bind(source: string): readonly string[] {
  return ['type=bind', `source=${source}`, `target=${TARGET}`];
}

/** As RFC 4180 has it, which is how the engines read the value of `--mount`. */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One word of a POSIX shell, whatever is in it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function kubernetes(agentId: string, mount: Mount): string {
  const { uid, gid, strategy } = mount;
  // In its own user namespace the kubelet maps the volume by itself.
  const namespace = strategy === 'idmapped-mount' ? ['  hostUsers: false'] : [];
  return [
    'apiVersion: v1',
    'kind: Pod',
    'metadata:',
    `  name: ${label(`agent-${agentId}`)}`,
    'spec:',
    '  # On the node that has the disk: add nodeName or a nodeSelector where there are several.',
    '  automountServiceAccountToken: false',
    '  enableServiceLinks: false',
    ...namespace,
    '  securityContext:',
    `    runAsUser: ${uid}`,
    `    runAsGroup: ${gid}`,
    `    runAsNonRoot: ${uid !== 0}`,
    '    seccompProfile: { type: RuntimeDefault }',
    '  containers:',
    '    - name: agent',
    '      image: agent:latest # the image of the agent',
    '      securityContext:',
    '        allowPrivilegeEscalation: false',
    '        readOnlyRootFilesystem: true',
    '        capabilities: { drop: [ALL] }',
    '      volumeMounts:',
    `        - { name: workspace, mountPath: ${TARGET} }`,
    '        - { name: tmp, mountPath: /tmp }',
    '  volumes:',
    '    - name: workspace',
    `      hostPath: { path: ${yamlText(mount.hostPath)}, type: Directory }`,
    '    - name: tmp',
    '      emptyDir: {}',
    '',
  ].join('\n');
}

/** A name that Kubernetes takes: RFC 1123. Two agents may come to the same one. */
function label(text: string): string {
  const safe = text.toLowerCase().replace(/[^a-z0-9]/g, '-');
  return safe.slice(0, MAX_LABEL).replace(/-+$/, '');
}

/** JSON is YAML, but for characters that older readers take for line ends or for nothing. */
function yamlText(text: string): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, escaped);
}
