import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { describeConnection } from '../../../agent/proxy/request-description.ts';
import { AccessLog } from '../../../agent/telemetry/access-log.ts';
import { RequestFacts } from '../../../agent/telemetry/request-facts.ts';
import { systemClock } from '../../../process/clock.ts';
import { fencesOf, sectionOf } from '../../support/fences.ts';

const page = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');

describe('docs/observability.md', () => {
  const section = sectionOf(page, '## The access log');

  /** Of any line: all have the same. */
  function keysOfLines(): string[] {
    const written: string[] = [];
    const lines = {
      write: (bytes: Buffer, length: number) => void written.push(bytes.toString('utf8', 0, length)),
      counts: { written: 0, dropped: 0 },
    };
    const log = new AccessLog({ lines, samplePercent: 100, slowMs: undefined, clock: systemClock, random: () => 0 });
    const nobody = { lastTarget: undefined, attempts: 0, connectMs: -1 };
    log.write('outbound', new RequestFacts(), { describe: (line) => describeConnection(line, nobody) });
    return Object.keys(JSON.parse(written.join()));
  }

  it('has every field of a line of the access log, in its order', () => {
    const fields = [...section.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([A-Za-z]+)`/g)].map(([, field]) => field),
    );
    expect(fields).to.deep.equal(keysOfLines());
  });

  it('shows such a line', () => {
    const [line] = fencesOf(section).filter(({ info }) => info === 'json');
    expect(Object.keys(JSON.parse(line?.text ?? ''))).to.deep.equal(keysOfLines());
  });
});
