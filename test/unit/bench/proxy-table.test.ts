import { expect } from 'chai';
import type { Result } from '../../../bench/proxy/measure.ts';
import { medianOf, outcomeOf } from '../../../bench/proxy/table.ts';

const result = (peer: string, samples: readonly number[], fault?: string): Result<number> => ({
  peer,
  samples,
  idleRssBytes: 0,
  rssBytes: 0,
  fault,
});

const outcome = (...results: Result<number>[]) =>
  outcomeOf(
    results,
    (sample) => sample,
    (each, ratioTo) => ({ cost: String(medianOf(each, (sample) => sample)), ratio: ratioTo((sample) => sample) }),
  );

describe('the table of the proxy bench', () => {
  it('compares round by round, so that a machine that changes between rounds changes no ratio', () => {
    const { rows, ratios } = outcome(result('Sluice', [10, 40, 20]), result('Envoy', [20, 80, 40]));
    expect(rows).to.deep.equal([
      { proxy: 'Sluice', cost: '20', ratio: '' },
      { proxy: 'Envoy', cost: '40', ratio: '0.50' },
    ]);
    expect([...ratios]).to.deep.equal([['Envoy', 0.5]]);
  });

  it('says why a peer has no figures, and compares the rest', () => {
    const { rows, ratios } = outcome(result('Sluice', [10]), result('nginx', [], 'it ended'), result('Envoy', [40]));
    expect(rows).to.deep.equal([
      { proxy: 'Sluice', cost: '10', ratio: '', failed: '' },
      { proxy: 'nginx', cost: '', ratio: '', failed: 'it ended' },
      { proxy: 'Envoy', cost: '40', ratio: '0.25', failed: '' },
    ]);
    expect([...ratios.keys()]).to.deep.equal(['Envoy']);
  });
});
