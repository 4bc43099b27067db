import { expect } from 'chai';
import { PolicyWarnings } from '../../../agent/policy-warnings.ts';
import { toStruct } from '../../../proto/struct.ts';
import { route } from '../routing/resources.ts';
import { serviceResources, viewOf } from './view/resources.ts';

describe('warnings of policies', () => {
  const metadata = { filterMetadata: { sluice: toStruct({ localityPreference: 'same-zone-first' }) } };
  const clusters = { 'reviews.default|http|v1': [{ port: 1 }], 'reviews.default|http|v2': [{ port: 2 }] };
  const routes = [route('', { cluster: 'reviews.default|http|v1' })];
  const withPolicy = serviceResources({
    routes,
    clusters,
    policies: Object.fromEntries(Object.keys(clusters).map((name) => [name, { metadata }])),
  });
  const without = serviceResources({ routes, clusters });

  it('come once for each service, until what they are about is gone', () => {
    const warned: string[] = [];
    const warnings = new PolicyWarnings({ warn: (...words: unknown[]) => void warned.push(words.join(' ')) });
    const counts = [withPolicy, withPolicy, without, withPolicy].map((resources) => {
      warnings.look(viewOf(resources));
      return warned.length;
    });
    expect(counts).to.deep.equal([1, 1, 1, 2]);
    expect(warned[0]).to.equal(
      'the TrafficPolicy of reviews.default: localityPreference has no effect: this agent does not know its zone (--zone)',
    );
  });

  it('do not come where the agent does what is asked for', () => {
    const warned: unknown[] = [];
    new PolicyWarnings({ warn: (...words: unknown[]) => void warned.push(words) }).look(
      viewOf(withPolicy, undefined, 'z1'),
    );
    expect(warned).to.deep.equal([]);
  });
});
