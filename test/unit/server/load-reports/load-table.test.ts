import { expect } from 'chai';
import { type LoadLimits, LoadTable } from '../../../../server/load-reports/load-table.ts';
import type { LoadReport } from '../../../../server/load-reports/read-report.ts';

const locality = { region: '', zone: '', subZone: '' };

/** One success in each of these clusters. */
const report = (...clusters: string[]): LoadReport => ({
  localities: clusters.map((cluster) => ({
    cluster,
    locality,
    successes: 1,
    errors: 0,
    inProgress: 0,
    intervalMs: 1_000,
  })),
  drops: [],
});

describe('the table of load reports', () => {
  let nowMs = 0;
  let known = new Set<string>();
  const start = (limits?: LoadLimits) => {
    nowMs = 0;
    known = new Set(['a', 'b', 'c']);
    const isCluster = (name: string) => known.has(name);
    return new LoadTable({ clock: () => nowMs, intervalMs: 1_000, isCluster, ...(limits && { limits }) });
  };
  const client = (id: string) => ({ id, namespace: 'default' });
  const seen = (table: LoadTable) =>
    [...table.clients()].map(({ id, localities }) => [id, localities.map(({ cluster }) => cluster).join(' ')]);

  it('keeps the last report of each client, and the sum of all', () => {
    const table = start();
    const one = table.open(client('one'));
    table.open(client('two'))?.onReport(report('a'));
    one?.onReport(report('a', 'b'));
    one?.onReport(report('b'));
    expect(seen(table)).to.deep.equal([
      ['one', 'b'],
      ['two', 'a'],
    ]);
    expect([...table.totals()].map(([name, { successes }]) => [name, successes])).to.deep.equal([
      ['a', 2],
      ['b', 2],
    ]);
  });

  it('forgets a client with its stream, and takes nothing more from it; the sums stay', () => {
    const table = start();
    const one = table.open(client('one'));
    one?.onReport(report('a'));
    one?.close();
    one?.close();
    one?.onReport(report('a'));
    expect([seen(table), table.size, table.totals().get('a')?.successes]).to.deep.equal([[], 0, 1]);
  });

  it('does not believe a client that has missed three reports, until it reports again', () => {
    const table = start();
    const one = table.open(client('one'));
    one?.onReport(report('a'));
    nowMs = 3_001;
    expect(seen(table)).to.deep.equal([]);
    one?.onReport(report('a'));
    expect(seen(table)).to.deep.equal([['one', 'a']]);
  });

  it('takes so many clients, and counts those it did not', () => {
    const table = start({ clients: 1, localities: 10, clusters: 10 });
    const one = table.open(client('one'));
    expect(table.open(client('two'))).to.equal(undefined);
    one?.close();
    expect(table.open(client('three'))).to.not.equal(undefined);
    expect(table.dropped).to.deep.equal({ clients: 1, localities: 0 });
  });

  it('keeps so many localities of all clients, and counts those it did not; none is missing in the sums', () => {
    const table = start({ clients: 10, localities: 3, clusters: 10 });
    const one = table.open(client('one'));
    one?.onReport(report('a', 'b'));
    table.open(client('two'))?.onReport(report('a', 'b'));
    expect(seen(table)).to.deep.equal([
      ['one', 'a b'],
      ['two', 'a'],
    ]);
    expect(table.dropped.localities).to.equal(1);
    expect(table.totals().get('b')?.successes).to.equal(2);
    one?.close();
    const three = table.open(client('three'));
    three?.onReport(report('a', 'b', 'c'));
    expect(seen(table)[1]).to.deep.equal(['three', 'a b']);
  });

  it('gives clusters that the mesh does not have no place of their own in the sums', () => {
    const table = start();
    table.open(client('one'))?.onReport(report('x', 'y', 'other', 'a'));
    expect([...table.totals()].map(([name, { successes }]) => [name, successes])).to.deep.equal([
      ['other', 3],
      ['a', 1],
    ]);
  });

  it('adds up the clusters that are gone when there is no more room', () => {
    const table = start({ clients: 10, localities: 10, clusters: 2 });
    const one = table.open(client('one'));
    one?.onReport(report('a', 'b'));
    known.delete('a');
    one?.onReport(report('c'));
    expect([...table.totals()].map(([name, { successes }]) => [name, successes])).to.deep.equal([
      ['b', 1],
      ['other', 2],
    ]);
  });

  it('looks for clusters that are gone once a second at most, however much has no place', () => {
    const limits = { clients: 10, localities: 10, clusters: 1_000 };
    let asked = 0;
    const isCluster = (name: string) => {
      asked++;
      return name !== 'gone';
    };
    nowMs = 0;
    const table = new LoadTable({ clock: () => nowMs, intervalMs: 1_000, isCluster, limits });
    const one = table.open(client('one'));
    one?.onReport(report(...Array.from({ length: limits.clusters }, (_, n) => `n${n}`)));
    asked = 0;
    one?.onReport(report(...Array.from({ length: 100 }, (_, n) => `late${n}`)));
    expect(asked).to.be.within(100, 100 + limits.clusters);
    one?.onReport(report('late'));
    expect(asked).to.be.below(200 + limits.clusters);
    nowMs = 1_000;
    one?.onReport(report('late'));
    expect(asked).to.be.within(2 * limits.clusters, 2 * limits.clusters + 200);
    expect(table.totals().get('other')?.successes).to.equal(102);
  });
});
