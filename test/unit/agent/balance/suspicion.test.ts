import { expect } from 'chai';
import { ClusterBalancer } from '../../../../agent/balance/cluster-balancer.ts';
import type { LoadBalancerPolicy } from '../../../../agent/balance/policy.ts';
import { anyHash, candidate, candidates, type NamedCandidate, picksOf } from './balancer-contract.ts';

const policies: readonly LoadBalancerPolicy[] = ['round-robin', 'least-request', 'random', 'ring-hash', 'maglev'];

interface Suspects {
  readonly all: readonly NamedCandidate[];
  readonly suspected?: readonly string[];
  readonly panicThreshold?: number;
  readonly policy?: LoadBalancerPolicy;
}

/** A balancer, and what changes who is suspected. */
function suspecting({ all, suspected = [], panicThreshold = 50, policy = 'round-robin' }: Suspects) {
  const state = { changes: 0 };
  let names = suspected;
  const suspicions = { state, panicThreshold, isSuspected: ({ name }: NamedCandidate) => names.includes(name) };
  const balancer = new ClusterBalancer({ policy, candidates: all, suspicions });
  const suspect = (...now: string[]) => {
    names = now;
    state.changes++;
  };
  return { balancer, suspect };
}

/** Sorted names of those that are asked. */
function askedOf(balancer: ClusterBalancer<NamedCandidate>, tried: readonly NamedCandidate[] = []): string {
  return Object.keys(picksOf(balancer, 200, { tried, nextHash: anyHash }))
    .sort()
    .join(' ');
}

describe('suspicion', () => {
  for (const policy of policies) {
    it(`keeps ${policy} from asking, from the next request on, until it is lifted`, () => {
      const { balancer, suspect } = suspecting({ all: candidates(4), policy });
      const asked = [askedOf(balancer)];
      suspect('i1');
      asked.push(askedOf(balancer));
      suspect('i0', 'i3');
      asked.push(askedOf(balancer));
      suspect();
      asked.push(askedOf(balancer));
      expect(asked).to.deep.equal(['i0 i1 i2 i3', 'i0 i2 i3', 'i1 i2', 'i0 i1 i2 i3']);
    });
  }

  it('leaves turns fair when it changes often', () => {
    const { balancer, suspect } = suspecting({ all: candidates(4) });
    const total: Record<string, number> = {};
    for (let round = 0; round < 1_000; round++) {
      suspect(round % 2 === 0 ? 'i0' : '');
      for (const [name, count] of Object.entries(picksOf(balancer, 12))) total[name] = (total[name] ?? 0) + count;
    }
    expect(total).to.deep.equal({ i0: 1_500, i1: 3_500, i2: 3_500, i3: 3_500 });
  });

  for (const { name, suspected, panicThreshold, want } of [
    { name: 'at the panic threshold counts', suspected: ['i0', 'i1'], panicThreshold: 50, want: 'i2 i3' },
    { name: 'below it is ignored', suspected: ['i0', 'i1', 'i2'], panicThreshold: 50, want: 'i0 i1 i2 i3' },
    { name: 'of all is ignored', suspected: ['i0', 'i1', 'i2', 'i3'], panicThreshold: 1, want: 'i0 i1 i2 i3' },
    { name: 'with a high threshold is ignored soon', suspected: ['i0'], panicThreshold: 80, want: 'i0 i1 i2 i3' },
    { name: 'without a threshold leaves one', suspected: ['i0', 'i1', 'i2'], panicThreshold: 0, want: 'i3' },
    {
      name: 'of all without a threshold leaves nobody',
      suspected: ['i0', 'i1', 'i2', 'i3'],
      panicThreshold: 0,
      want: 'none',
    },
  ]) {
    it(name, () => {
      const { balancer } = suspecting({ all: candidates(4), suspected, panicThreshold });
      expect(askedOf(balancer)).to.equal(want);
      expect(balancer.isInPanic).to.equal(want.length > 5);
    });
  }

  it('is counted among those that the registry calls healthy', () => {
    const all = [...candidates(2), candidate('lost', 1, 'degraded'), candidate('down', 1, 'unavailable')];
    expect(askedOf(suspecting({ all, suspected: ['i0', 'lost', 'down'] }).balancer)).to.equal('i1');
  });

  describe('when others were tried', () => {
    const [a, b] = [candidate('a'), candidate('b')];
    const degraded = candidate('degraded', 1, 'degraded');
    const all = [a, b, degraded, candidate('down', 1, 'unavailable')];

    it('yields to the instances that are degraded, then to need', () => {
      const { balancer } = suspecting({ all, suspected: ['b'] });
      const asked = [askedOf(balancer), askedOf(balancer, [a]), askedOf(balancer, [a, degraded])];
      expect(asked).to.deep.equal(['a', 'degraded', 'b']);
    });

    it('yields to nothing without a panic threshold', () => {
      const { balancer } = suspecting({ all, suspected: ['b'], panicThreshold: 0 });
      expect(askedOf(balancer, [a, degraded])).to.equal('none');
    });
  });
});
