import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { cacheBounds } from '../../../agent/dns/answer-cache.ts';
import { bounds } from '../../../agent/dns/bounds.ts';
import { ownTtlSeconds } from '../../../agent/dns/own-answer.ts';
import { ownUdpBytes } from '../../../agent/dns/protocol.ts';
import { patience } from '../../../agent/dns/upstream-question.ts';
import { sectionOf } from '../../support/fences.ts';
import { createResponder, reviews } from '../agent/dns/dns-under-test.ts';

const page = readFileSync(new URL('../../../docs/dns.md', import.meta.url), 'utf8');

/** The first and the second column of each row. */
const rowsOf = (heading: string) =>
  sectionOf(page, heading)
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, first = '', second = '']) => [first.replaceAll('`', ''), second] as const);

describe('docs/dns.md', () => {
  for (const [name] of rowsOf('## Names')) {
    it(`names what is answered: ${name}`, () => {
      const { ask } = createResponder({ find: () => reviews });
      const type = name.startsWith('_') ? 'SRV' : name.endsWith('.arpa') ? 'PTR' : 'A';
      const { answers, flag_aa } = ask(name, { type });
      expect({ count: answers?.length, isOwn: flag_aa }).to.deep.equal({ count: 1, isOwn: true });
    });
  }

  it('lists the bounds as they are', () => {
    const said = rowsOf('## Bounds').map(([, bound]) => bound.replaceAll(',', '').match(/\d+/g)?.map(Number));
    expect(said).to.deep.equal([
      [bounds.connections],
      [bounds.idleMs / 1_000],
      [bounds.underWayPerConnection],
      [bounds.unsentBytes / 1_024],
      [bounds.underWay],
      [bounds.waitingForOne],
      [bounds.lookups, bounds.lookupMs / 1_000],
    ]);
  });

  for (const words of [
    `may be kept for ${ownTtlSeconds} s`,
    `up to ${ownUdpBytes.toLocaleString('en')}.`,
    `the next one after ${patience.attemptMs / 1_000} s`,
    `After ${patience.wholeMs / 1_000} s the client is told SERVFAIL`,
    `At most ${bounds.underWay} different ones`,
    `at most ${cacheBounds.entries.toLocaleString('en')} answers and ${cacheBounds.bytes / 1024 / 1024} MB`,
  ]) {
    it(`says "${words}"`, () => expect(page).to.include(words));
  }
});
