import { expect } from 'chai';
import fc from 'fast-check';
import { InstanceState } from '../../../../agent/resilience/instance-state.ts';
import {
  never,
  OutlierDetection,
  type OutlierSettings,
  type RequestOutcome,
} from '../../../../agent/resilience/outlier-detection.ts';
import { fuzzRuns } from '../../routing/resources.ts';

const settings: OutlierSettings = {
  consecutive5xx: 5,
  consecutiveGatewayFailure: never,
  consecutiveLocalOriginFailure: never,
  splitExternalLocalOriginErrors: false,
  intervalMs: 10_000,
  baseEjectionTimeMs: 30_000,
  maxEjectionTimeMs: 300_000,
  maxEjectionPercent: 100,
  alwaysEjectOneHost: true,
};

/** A cluster, and time that moves when it is told to. */
class World {
  readonly instances: readonly InstanceState[];
  readonly suspicions = { changes: 0 };
  readonly detection: OutlierDetection;
  now = 1_000_000;

  constructor(some: Partial<OutlierSettings> = {}, count = 4) {
    this.instances = Array.from({ length: count }, () => new InstanceState());
    const { instances, suspicions } = this;
    this.detection = new OutlierDetection({ settings: { ...settings, ...some }, instances, suspicions });
    this.detection.sweep(this.now);
  }

  instance(index: number): InstanceState {
    const found = this.instances[index];
    if (found === undefined) throw new Error(`there is no instance ${index}`);
    return found;
  }

  /** `555gl+`: 5xx, gateway failure, local failure, success. */
  report(outcomes: string, index = 0): this {
    for (const outcome of outcomes) {
      this.detection.report(this.instance(index), outcomesByLetter[outcome] ?? 'success', this.now);
    }
    return this;
  }

  /** Sweeps as often as they fall due meanwhile. */
  pass(ms: number): this {
    const until = this.now + ms;
    while (this.detection.nextSweepMs <= until) {
      this.now = this.detection.nextSweepMs;
      this.detection.sweep(this.now);
    }
    this.now = until;
    return this;
  }

  get ejected(): number[] {
    return this.instances.flatMap(({ outlier }, index) => (outlier.isEjected ? [index] : []));
  }
}

const outcomesByLetter: Readonly<Record<string, RequestOutcome>> = {
  '5': '5xx',
  g: 'gateway',
  l: 'local',
  '+': 'success',
};

describe('outlier detection', () => {
  const gateway = { consecutive5xx: never, consecutiveGatewayFailure: 3 };
  const split = { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailure: 3 };
  for (const { name, some = {}, outcomes, isEjected } of [
    { name: 'leaves alone who fails less often', outcomes: '5555', isEjected: false },
    { name: 'ejects at the threshold', outcomes: '55555', isEjected: true },
    { name: 'begins anew after a success', outcomes: '5555+5555', isEjected: false },
    { name: 'counts gateway failures as 5xx', outcomes: '55gg5', isEjected: true },
    { name: 'counts failures of local origin as 5xx', outcomes: '5llg5', isEjected: true },
    { name: 'counts gateway failures apart', some: gateway, outcomes: 'ggg', isEjected: true },
    {
      name: 'begins anew after another 5xx than a gateway failure',
      some: gateway,
      outcomes: 'gg5gg',
      isEjected: false,
    },
    { name: 'counts failures of local origin as gateway failures', some: gateway, outcomes: 'glg', isEjected: true },
    { name: 'counts failures of local origin apart when split', some: split, outcomes: 'lll', isEjected: true },
    { name: 'begins anew with them after any answer', some: split, outcomes: 'll5ll', isEjected: false },
    { name: 'then does not count them as 5xx', some: split, outcomes: '5555l', isEjected: false },
    { name: 'nor do they interrupt a row of those', some: split, outcomes: '5555l5', isEjected: true },
  ]) {
    it(`${name} (${outcomes})`, () => {
      expect(new World(some).report(outcomes).instance(0).outlier.isEjected).to.equal(isEjected);
    });
  }

  it('tells balancers when it ejects and when it ends that', () => {
    const world = new World().report('55555');
    expect(world.suspicions.changes).to.equal(1);
    world.report('555');
    expect(world.suspicions.changes).to.equal(1);
    world.pass(30_000);
    expect(world.suspicions.changes).to.equal(2);
  });

  it('says until when, and ends the ejection with the sweep after that', () => {
    const world = new World({ baseEjectionTimeMs: 25_000 }).report('55555');
    expect(world.instance(0).outlier.ejectedUntilMs).to.equal(1_025_000);
    expect(world.pass(29_999).ejected).to.deep.equal([0]);
    expect(world.pass(1).ejected).to.deep.equal([]);
  });

  it('ejects for longer each time, up to the longest', () => {
    const world = new World({ maxEjectionTimeMs: 70_000 });
    const lengths = [1, 2, 3, 4].map(() => {
      world.report('55555');
      const length = world.instance(0).outlier.ejectedUntilMs - world.now;
      world.pass(length);
      return length;
    });
    expect(lengths).to.deep.equal([30_000, 60_000, 70_000, 70_000]);
  });

  it('forgets by one ejection with every interval in use', () => {
    const world = new World().report('55555').pass(30_000).report('5').pass(60_000);
    expect(world.instance(0).outlier.multiplier).to.equal(2);
    world.pass(10_000);
    expect(world.instance(0).outlier.multiplier).to.equal(1);
    world.pass(100_000).report('+55555');
    expect(world.instance(0).outlier.ejectedUntilMs - world.now).to.equal(30_000);
  });

  describe('lets an instance come back on probation', () => {
    const returned = () => new World().report('55555').pass(30_000);

    it('and ejects it again at the first failure', () => {
      expect(returned().report('5').ejected).to.deep.equal([0]);
    });

    it('that ends with a success', () => {
      expect(returned().report('+5555').ejected).to.deep.equal([]);
    });

    it('and does not hold a failure against it that would never eject', () => {
      const world = new World(split).report('55555').pass(30_000);
      expect(world.report('5').ejected).to.deep.equal([0]);
      const lenient = new World({ ...split, consecutiveLocalOriginFailure: never }).report('55555').pass(30_000);
      expect(lenient.report('l').ejected).to.deep.equal([]);
    });
  });

  for (const { name, some, count, want } of [
    { name: 'half', some: { maxEjectionPercent: 50 }, count: 4, want: 2 },
    { name: 'at most that', some: { maxEjectionPercent: 49 }, count: 4, want: 1 },
    { name: 'one at least', some: { maxEjectionPercent: 10 }, count: 4, want: 1 },
    { name: 'not even one', some: { maxEjectionPercent: 10, alwaysEjectOneHost: false }, count: 4, want: 0 },
    { name: 'nobody', some: { maxEjectionPercent: 0 }, count: 4, want: 0 },
    { name: 'one of ten', some: { maxEjectionPercent: 10, alwaysEjectOneHost: false }, count: 10, want: 1 },
    { name: 'all', some: { maxEjectionPercent: 100 }, count: 4, want: 4 },
  ]) {
    it(`ejects ${name}, by the greatest share of ${some.maxEjectionPercent} % of ${count}`, () => {
      const world = new World(some, count);
      for (let index = 0; index < count; index++) world.report('55555', index);
      expect(world.ejected).to.have.length(want);
      expect(world.detection.ejections).to.deep.include({ consecutive5xx: want, overflow: count - want });
    });
  }

  it('asks for a whole row again when there was no room to eject', () => {
    const world = new World({ maxEjectionPercent: 25 }).report('55555', 1).report('555555555');
    expect(world.detection.ejections.overflow).to.equal(1);
    expect(world.report('5').detection.ejections.overflow).to.equal(2);
  });

  it('goes on with what it knows of instances after a swap', () => {
    const world = new World().report('55555').report('5555', 1);
    const { instances, suspicions } = world;
    const next = new OutlierDetection({
      settings: { ...settings, consecutive5xx: 5 },
      instances,
      suspicions,
      previous: world.detection,
    });
    next.report(world.instance(1), '5xx', world.now);
    expect(world.ejected).to.deep.equal([0, 1]);
    expect(next.ejections.consecutive5xx).to.equal(2);
    expect(next.nextSweepMs).to.equal(world.detection.nextSweepMs);
    next.sweep(world.now + 30_000);
    expect(world.ejected).to.deep.equal([]);
  });

  it('holds nobody longer because the clock was set back', () => {
    const world = new World().report('55555');
    world.now -= 3_600_000;
    world.detection.sweep(world.now);
    expect(world.pass(10_000).ejected).to.deep.equal([]);
  });

  it('property: never ejects more than the greatest share, and everybody comes back', () => {
    const step = fc.record({
      index: fc.nat(7),
      outcomes: fc.string({ unit: fc.constantFrom('5', 'g', 'l', '+'), maxLength: 8 }),
      passMs: fc.nat(20_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(100), (steps, maxEjectionPercent) => {
        const world = new World({ maxEjectionPercent, consecutiveGatewayFailure: 2 }, 8);
        for (const { index, outcomes, passMs } of steps) {
          world.report(outcomes, index).pass(passMs);
          expect(world.ejected.length).to.be.at.most(Math.max(1, Math.floor((8 * maxEjectionPercent) / 100)));
        }
        expect(world.pass(310_000).ejected).to.deep.equal([]);
      }),
      { numRuns: fuzzRuns },
    );
  });
});
