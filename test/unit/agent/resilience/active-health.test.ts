import { expect } from 'chai';
import { onCheckResult, unchecked } from '../../../../agent/resilience/active-health.ts';

describe('the verdict of health checks', () => {
  const thresholds = { healthyThreshold: 2, unhealthyThreshold: 3 };

  for (const { name, results, want } of [
    { name: 'nothing is known before the first', results: '', want: 'unchecked' },
    { name: 'the first success decides at once', results: '+', want: 'passing' },
    { name: 'the first failure decides at once', results: '-', want: 'failing' },
    { name: 'a failure changes nothing', results: '+-', want: 'passing' },
    { name: 'nor do two', results: '+--', want: 'passing' },
    { name: 'three in a row do', results: '+---', want: 'failing' },
    { name: 'three that are not in a row do not', results: '+--+-', want: 'passing' },
    { name: 'one success is not enough', results: '-+', want: 'failing' },
    { name: 'two are', results: '-++', want: 'passing' },
    { name: 'two that are not in a row are not', results: '-+-+', want: 'failing' },
  ]) {
    it(`${name} (${results})`, () => {
      const health = [...results].reduce((now, result) => onCheckResult(now, result === '+', thresholds), unchecked);
      expect(health.is).to.equal(want);
    });
  }
});
