import { expect } from 'chai';
import type { Ended, Ending } from '../../../../agent/telemetry/counter.ts';
import { addUpCounts, countsOf } from '../../../../agent/telemetry/request-counts.ts';
import { createStatistics } from '../../../../agent/telemetry/statistics.ts';

const ended: Ended = { ending: 'passed', status: 200, durationMs: 1, isTunnel: false, bytesIn: 1, bytesOut: 1 };
const cluster = 'a.default|http|';

describe('requests as load reports count them', () => {
  for (const { name, ending, status, is } of [
    { name: 'an answer that is passed on', ending: 'passed', status: 200, is: 'successes' },
    { name: 'a mistake of the client', ending: 'passed', status: 404, is: 'successes' },
    { name: 'a connection that has ended', ending: 'passed', status: 0, is: 'successes' },
    { name: 'an error of the application', ending: 'passed', status: 503, is: 'errors' },
    { name: 'an answer that breaks off', ending: 'broken-off', status: 200, is: 'errors' },
    { name: 'a time-out', ending: 'timeout', status: 504, is: 'errors' },
    { name: 'no healthy instance', ending: 'no-healthy-instance', status: 503, is: 'errors' },
    { name: 'an open circuit breaker', ending: 'overflow', status: 503, is: 'drops' },
    { name: 'a fault that the rule wants', ending: 'fault', status: 418, is: 'drops' },
    { name: 'a client that gives up', ending: 'client-gone', status: 0, is: undefined },
  ] satisfies { name: string; ending: Ending; status: number; is: string | undefined }[]) {
    it(`${name} is among the ${is ?? 'requests alone'}`, () => {
      const statistics = createStatistics(() => new Map());
      const counter = statistics.route({ rule: 'r', cluster });
      counter.begin();
      counter.end({ ...ended, ending, status });
      const none = { requests: 1, active: 0, successes: 0, errors: 0, drops: 0 };
      const counts = addUpCounts(statistics.counts()).get(cluster);
      expect(counts).to.deep.equal({ ...none, ...(is && { [is]: 1 }) });
      const [inReport] = Object.values(statistics.snapshot().clusters);
      expect(inReport && countsOf(inReport)).to.deep.equal(counts);
    });
  }

  it('are added up by cluster over listeners and rules, without those for none', () => {
    const listeners = [createStatistics(() => new Map()), createStatistics(() => new Map())];
    for (const { route } of listeners) {
      route({ rule: 'r', cluster }).begin();
      route({ rule: 's', cluster }).begin();
      route({ rule: 'redirected', cluster: '' }).begin();
    }
    const counts = addUpCounts(listeners.flatMap((listener) => [...listener.counts()]));
    expect([...counts]).to.deep.equal([[cluster, { requests: 4, active: 4, successes: 0, errors: 0, drops: 0 }]]);
  });
});
