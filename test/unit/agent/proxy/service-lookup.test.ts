import { expect } from 'chai';
import { type Lookup, ServiceLookup } from '../../../../agent/proxy/service-lookup.ts';
import type { Resolution } from '../../../../agent/view/mesh-directory.ts';
import { createEmptyMeshView } from '../../../../agent/view/mesh-view.ts';
import { FakeClock } from '../../process/fake-clock.ts';

describe('a lookup while the control plane hangs', () => {
  const clock = new FakeClock();
  const questions = new Map<string, (resolution: Resolution) => void>();
  const lookup = new ServiceLookup({
    directory: {
      view: createEmptyMeshView(),
      obstacle: '',
      resolve: (name) => new Promise((resolve) => questions.set(name, resolve)),
    },
    clock,
    resolveTimeoutMs: 3_000,
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  /** What is answered within so many milliseconds; undefined: nothing. */
  async function within(ms: number, lookedUp: Promise<Lookup>): Promise<Lookup['is'] | undefined> {
    let answer: Lookup | undefined;
    void lookedUp.then((found) => {
      answer = found;
    });
    await turn();
    clock.advance(ms);
    await turn();
    return answer?.is;
  }

  it('waits in full once, then hardly', async () => {
    const first = lookup.ask('10.0.0.1:5432');
    expect(await within(2_999, first)).to.equal(undefined);
    expect(await within(1, first)).to.equal('unavailable');
    expect(await within(100, lookup.ask('10.0.0.2:5432'))).to.equal('unavailable');
    expect(await within(100, lookup.ask('10.0.0.1:5432'))).to.equal('unavailable');
  });

  it('waits in full again when a question has been answered, however late', async () => {
    questions.get('10.0.0.1:5432')?.('absent');
    await turn();
    const next = lookup.ask('10.0.0.3:5432');
    expect(await within(2_999, next)).to.equal(undefined);
    questions.get('10.0.0.3:5432')?.('absent');
    expect(await within(0, next)).to.equal('absent');
  });

  it('does not take for an answer that nobody can be asked', async () => {
    expect(await within(3_000, lookup.ask('10.0.0.4:5432'))).to.equal('unavailable');
    questions.get('10.0.0.4:5432')?.('unavailable');
    await turn();
    expect(await within(100, lookup.ask('10.0.0.5:5432'))).to.equal('unavailable');
  });
});
