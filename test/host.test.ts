import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostIdentity, processStart } from '../src/host.ts';

describe('host', () => {
  it('hostIdentity is the same again, and names a boot and a process namespace', () => {
    expect(hostIdentity()).toBe(hostIdentity());
    expect(hostIdentity()).toMatch(/^[0-9a-f-]{36} pid:\[\d+\]$/);
  });

  it('processStart tells processes apart by when they began, and knows those that are gone', async () => {
    const own = processStart(process.pid);
    expect(own).toMatch(/^\d+$/);
    const child = spawn('sleep', ['30'], { argv0: 'odd) name (x' });
    await once(child, 'spawn');
    const started = processStart(child.pid ?? 0);
    expect(started).toMatch(/^\d+$/);
    expect(Number(started)).toBeGreaterThan(Number(own));
    child.kill();
    await once(child, 'exit');
    expect(processStart(child.pid ?? 0)).toBeNull();
  });
});
