import { ownershipOf } from '../../src/core/ownership.ts';
import type { Giving } from '../../src/tree/root.ts';

const ROOT = { uid: 0, gid: 0 };
const DAEMON = { uid: 1000, gid: 1001 };
const AGENT = { uid: 2000, gid: 2001 };
const NOTHING: Giving = { owner: null, lacks: [] };

describe('ownership', () => {
  it('is the daemon itself where nobody else was asked for', () => {
    const own = { ...DAEMON, mode: '0755', strategy: 'same-uid', agent: DAEMON };
    const sentence =
      "files in workspaces belong to uid 1000, the daemon's own; an agent under another uid cannot change them";
    for (const [wanted, owner] of [
      [null, null],
      [DAEMON, null],
      [DAEMON, DAEMON],
    ] as const) {
      expect(ownershipOf({ daemon: DAEMON, wanted, giving: { owner, lacks: [] } })).toEqual({ ...own, sentence });
    }
  });

  it('warns of a daemon that is root and gives nothing away', () => {
    const { strategy, sentence } = ownershipOf({ daemon: ROOT, wanted: null, giving: NOTHING });
    expect(strategy).toBe('same-uid');
    expect(sentence).toMatch(/^the daemon is root .* set WORKSPACE_UID and WORKSPACE_GID$/);
  });

  it('tells of a group that files cannot be given to', () => {
    const wanted = { uid: DAEMON.uid, gid: 5 };
    const kept = ownershipOf({ daemon: DAEMON, wanted, giving: { owner: null, lacks: ['CAP_CHOWN'] } });
    expect(kept).toMatchObject({ ...DAEMON, strategy: 'same-uid', agent: DAEMON });
    expect(kept.sentence).toMatch(/; they keep group 1001, as the daemon may not give them to group 5$/);
    const given = ownershipOf({ daemon: DAEMON, wanted, giving: { owner: wanted, lacks: [] } });
    expect(given).toMatchObject({ ...wanted, strategy: 'same-uid', agent: wanted });
    expect(given.sentence).not.toContain('group');
  });

  it('is whom a privileged daemon gives its files to, whether it is root or has the capabilities alone', () => {
    for (const daemon of [ROOT, DAEMON]) {
      const given = ownershipOf({ daemon, wanted: AGENT, giving: { owner: AGENT, lacks: [] } });
      expect(given).toMatchObject({ ...AGENT, mode: '0755', strategy: 'capabilities', agent: AGENT });
      expect(given.sentence).toContain('uid 2000');
    }
  });

  it('stays with a daemon that may not give away what it makes, and says what it lacks and what to do', () => {
    const giving: Giving = { owner: null, lacks: ['CAP_DAC_OVERRIDE', 'CAP_FOWNER'] };
    const kept = ownershipOf({ daemon: DAEMON, wanted: AGENT, giving });
    expect(kept).toMatchObject({ ...DAEMON, mode: '0755', strategy: 'idmapped-mount', agent: AGENT });
    expect(kept.sentence).toBe(
      'files in workspaces belong to uid 1000, as the daemon lacks CAP_DAC_OVERRIDE and CAP_FOWNER to share them with uid 2000: ' +
        'an agent can change them only through an ID-mapped mount',
    );
  });
});
