import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** The 22nd field of /proc/<pid>/stat; 19 fields stand between it and the command's closing bracket. */
const START_AFTER_COMMAND = 19;

/**
 * Which boot of which machine and which process namespace this process runs in. Two processes with the same identity see
 * each other's process ids; of any other process, only its lease tells whether it lives.
 */
export function hostIdentity(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // No /proc (not Linux): the host name at least tells machines apart, and leases do the rest.
    return hostname();
  }
}

/** When the process began, in the kernel's ticks since boot, so that a reused process id is told apart. null where there is none. */
export function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command may hold spaces and brackets, so fields are counted from the last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[START_AFTER_COMMAND] ?? null;
  } catch {
    // ENOENT: no such process, or no /proc to look into.
    return null;
  }
}
