import type { Volume } from '../../src/core/core.ts';
import { openEdits } from '../../src/core/edits/edit-file.ts';
import { Turns } from '../../src/core/turns.ts';
import type { TenantId } from '../../src/ids.ts';
import { at, failure } from '../support/core.ts';

const [one, other, third] = ['t1', 't2', 't3'].map((name) => name as TenantId) as [TenantId, TenantId, TenantId];
const never = new AbortController().signal;

function turnsOf(waiting?: { readonly atOnce: number; readonly perTenant: number }): Turns {
  return new Turns({ what: 'tests', atOnce: 3, perTenant: 2, retryAfterSeconds: 1, ...(waiting && { waiting }) });
}

describe('turns', () => {
  it('are refused at once where nobody may wait', async () => {
    const turns = turnsOf();
    const end = await turns.take(one, never);
    await turns.take(one, never);
    expect(await failure(turns.take(one, never))).toMatchObject({
      ...{ code: 'rate_limited', detail: { retryAfterSeconds: 1 } },
    });
    await turns.take(other, never);
    expect(await failure(turns.take(third, never))).toMatchObject({ code: 'unavailable' });
    end();
    end();
    await turns.take(third, never);
    expect(await failure(turns.take(third, never))).toMatchObject({ code: 'unavailable' });
  });

  it('come to those who wait, first come, first served, but nobody waits behind a tenant that has all of its own', async () => {
    const turns = turnsOf({ atOnce: 4, perTenant: 3 });
    const ends = await Promise.all([turns.take(one, never), turns.take(one, never)]);
    const heard: string[] = [];
    const waits = (tenant: TenantId, name: string) =>
      turns.during(tenant, never, async () => {
        heard.push(name);
      });
    const first = ['a', 'b', 'c'].map((name) => waits(one, name));
    await waits(other, 'other');
    expect(heard).toEqual(['other']);
    expect(await failure(turns.take(one, never))).toMatchObject({ code: 'rate_limited' });
    ends[0]?.();
    await Promise.all(first);
    expect(heard).toEqual(['other', 'a', 'b', 'c']);
  });

  it('are bounded in how many wait at all', async () => {
    const turns = turnsOf({ atOnce: 2, perTenant: 2 });
    for (const tenant of [one, one, other]) await turns.take(tenant, never);
    const gone = new AbortController();
    const waiting = [other, third].map((tenant) => failure(turns.take(tenant, gone.signal)));
    expect(await failure(turns.take(third, never))).toMatchObject({ code: 'unavailable' });
    gone.abort(new Error('the client went'));
    expect(await Promise.all(waiting)).toEqual([new Error('the client went'), new Error('the client went')]);
  });

  it('are given back by work that fails, and by those who go away while they wait', async () => {
    const turns = turnsOf({ atOnce: 9, perTenant: 9 });
    const [end] = await Promise.all([turns.take(one, never), turns.take(one, never)]);
    const gone = new AbortController();
    const leaver = failure(turns.take(one, gone.signal));
    const broken = failure(turns.during(one, never, () => Promise.reject(new Error('broken'))));
    gone.abort(new Error('gone'));
    expect(await leaver).toEqual(new Error('gone'));
    end?.();
    expect(await broken).toEqual(new Error('broken'));
    expect(await turns.during(one, never, async () => 'done')).toBe('done');
  });
});

describe('edits', () => {
  it('are made four at a time, two of one tenant, however many are asked for', async () => {
    const edits = openEdits();
    const running: TenantId[] = [];
    const most = { all: 0, ofOne: 0 };
    const volumeOf = (tenant: TenantId) => {
      const rewrite = async () => {
        running.push(tenant);
        most.all = Math.max(most.all, running.length);
        most.ofOne = Math.max(most.ofOne, running.filter((each) => each === one).length);
        await new Promise((resolve) => setImmediate(resolve));
        running.splice(running.indexOf(tenant), 1);
        return { content: {} };
      };
      return { ref: { kind: 'store', tenant }, rewrite } as unknown as Volume;
    };
    const options = { maxBytes: 1, dryRun: false, signal: never };
    const asked = [one, other, third].flatMap((tenant) =>
      Array.from({ length: 30 }, () => edits.edit(volumeOf(tenant), at('f'), [], options)),
    );
    expect(await Promise.all(asked)).toHaveLength(90);
    expect(most).toEqual({ all: 4, ofOne: 2 });
  });
});
