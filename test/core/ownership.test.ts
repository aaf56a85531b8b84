import { ownershipOf } from '../../src/core/ownership.ts';

const ROOT = { uid: 0, gid: 0 };
const DAEMON = { uid: 1000, gid: 1001 };
const AGENT = { uid: 2000, gid: 2001 };

describe('ownership', () => {
  it('is the daemon itself where nobody else was asked for', () => {
    const own = { ...DAEMON, mode: '0755', strategy: 'same-uid' };
    expect(ownershipOf({ daemon: DAEMON, owner: null, wantedUid: null })).toMatchObject(own);
    expect(ownershipOf({ daemon: DAEMON, owner: null, wantedUid: 1000 })).toMatchObject(own);
    expect(ownershipOf({ daemon: DAEMON, owner: DAEMON, wantedUid: 1000 })).toMatchObject(own);
  });

  it('is whom a privileged daemon gives its files to, whether it is root or has the capability alone', () => {
    for (const daemon of [ROOT, DAEMON]) {
      const given = ownershipOf({ daemon, owner: AGENT, wantedUid: 2000 });
      expect(given).toMatchObject({ ...AGENT, mode: '0755', strategy: 'capabilities' });
      expect(given.sentence).toContain('uid 2000');
    }
  });

  it('stays with a daemon that may not give away what it makes, and says what to do', () => {
    const kept = ownershipOf({ daemon: DAEMON, owner: null, wantedUid: 2000 });
    expect(kept).toMatchObject({ ...DAEMON, mode: '0755', strategy: 'idmapped-mount' });
    expect(kept.sentence).toBe(
      'files in workspaces should belong to uid 2000, but the daemon may not give them away: mount workspaces ID-mapped',
    );
  });
});
