import { expect } from 'chai';
import { createLog } from '../../../../process/log.ts';
import { isVirtualIpLease, VirtualIps } from '../../../../server/registry/virtual-ips.ts';
import { MemoryStore } from '../../../support/memory-store.ts';

describe('virtual IPs', () => {
  let store: MemoryStore;
  let nowMs: number;

  const open = async (range = '240.240.0.0/16'): Promise<VirtualIps> => {
    const ips = new VirtualIps({
      store: store.open(),
      log: createLog('test', 'silent'),
      range,
      wallClock: () => nowMs,
    });
    ips.restore([...store.leases.values()].filter(isVirtualIpLease));
    return ips;
  };
  const names = (count: number) => Array.from({ length: count }, (_, index) => `service-${index}.default`);
  const oneOf = (ips: VirtualIps, service: string) => ips.of(service)[0] ?? '';
  /** All writes are in the store: it tells of each. */
  const settled = async () => {
    for (let before = -1; before !== store.log.cursor; ) {
      before = store.log.cursor;
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };

  beforeEach(() => {
    store = new MemoryStore();
    nowMs = 1_000_000;
  });

  it('are one for each service, always the same, in the range and not at its ends', async () => {
    const ips = await open('10.9.8.0/24');
    const given = names(254).map((name) => oneOf(ips, name));
    expect(new Set(given).size).to.equal(254);
    const last = given.map((address) => Number(/^10\.9\.8\.(\d+)$/.exec(address)?.[1]));
    expect([Math.min(...last), Math.max(...last)]).to.deep.equal([1, 254]);
    expect(names(254).map((name) => oneOf(ips, name))).to.deep.equal(given);
  });

  it('are the same after a restart, whatever the order in which they are asked for', async () => {
    const first = await open('10.9.8.0/24');
    const given = new Map(names(200).map((name) => [name, oneOf(first, name)]));
    await settled();
    const second = await open('10.9.8.0/24');
    for (const name of names(200).reverse()) expect(oneOf(second, name)).to.equal(given.get(name));
  });

  it('are what another server would allot, when none is taken', async () => {
    const first = oneOf(await open(), 'reviews.default');
    store = new MemoryStore();
    const other = await open();
    oneOf(other, 'ratings.default');
    expect(oneOf(other, 'reviews.default')).to.equal(first);
  });

  it('wait for a service that has gone, also over a restart', async () => {
    const ips = await open('10.9.8.0/29');
    const given = oneOf(ips, 'reviews.default');
    ips.release('reviews.default');
    for (const name of names(5)) expect(oneOf(ips, name)).to.not.equal(given);
    await settled();
    expect(oneOf(await open('10.9.8.0/29'), 'reviews.default')).to.equal(given);
  });

  it('are used again when all are allotted: that of the service which has been gone for longest, after an hour', async () => {
    const ips = await open('10.9.8.0/30');
    const [a, b] = [oneOf(ips, 'a.default'), oneOf(ips, 'b.default')];
    ips.release('b.default');
    nowMs += 1_000;
    ips.release('a.default');
    expect(ips.of('c.default')).to.deep.equal([]);
    nowMs += 3_599_000;
    expect(ips.of('c.default')).to.deep.equal([b]);
    expect(ips.of('d.default')).to.deep.equal([]);
    nowMs += 1_000;
    expect(ips.of('d.default')).to.deep.equal([a]);
    expect(ips.of('a.default')).to.deep.equal([]);
    await settled();
    const leases = [...store.leases.values()].filter(isVirtualIpLease);
    expect(leases.map(({ value }) => value.service).sort()).to.deep.equal(['c.default', 'd.default']);
  });

  it('are allotted anew when the range is another', async () => {
    oneOf(await open('10.9.8.0/24'), 'reviews.default');
    await settled();
    const ips = await open('10.1.0.0/16');
    expect(oneOf(ips, 'reviews.default')).to.match(/^10\.1\./);
  });
});
