// Runs once, in the daemon's image, before the agent's container: asks the daemon for the workspace, so that the directory
// to mount exists. A directory that the container engine made instead would belong to root.
import { execFileSync } from 'node:child_process';

const { TENANT, AGENT, WORKSPACED_URL } = process.env;
const token = execFileSync('workspaced', ['token', '--tenant', TENANT], { encoding: 'utf8' }).trim();
const response = await fetch(`${WORKSPACED_URL}/agent`, {
  method: 'POST',
  headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  body: JSON.stringify({ agent_id: AGENT }),
});
// 409: it exists from an earlier start.
if (!response.ok && response.status !== 409)
  throw new Error(`POST /agent: ${response.status} ${await response.text()}`);
console.log(`the workspace of ${AGENT} is there`);
