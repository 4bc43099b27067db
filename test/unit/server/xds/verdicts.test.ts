import { expect } from 'chai';
import type { Protocol } from '../../../../server/xds/session.ts';
import { Verdicts } from '../../../../server/xds/verdicts.ts';
import { FakeClient } from '../../../support/fake-client.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

const a = 'a.default|http|';
const b = 'b.default|http|';

describe('a request that answers no response that is waited for', () => {
  /** Of one type was sent 3 and 7, of others what lies between; both were answered. */
  const answered = (protocol: Protocol) => {
    const verdicts = new Verdicts(protocol);
    for (const nonce of ['3', '7']) {
      verdicts.onSent({ nonce, revision: 1, sequence: 1, changed: [], replaced: undefined, isWhole: false });
      verdicts.take(request(nonce));
    }
    return verdicts;
  };

  const request = (nonce: string) => {
    return { typeUrl: '', subscribe: [], unsubscribe: [], initialVersions: {}, version: '', nonce, error: undefined };
  };

  for (const { name, protocol, nonce, isStale, isUnknown } of [
    { name: 'repeats the newest nonce', protocol: 'sotw', nonce: '7', isStale: false, isUnknown: false },
    { name: 'has one from before', protocol: 'sotw', nonce: '3', isStale: true, isUnknown: false },
    { name: 'has one that was never sent', protocol: 'sotw', nonce: '8', isStale: true, isUnknown: true },
    { name: 'has none of our making', protocol: 'sotw', nonce: 'x', isStale: true, isUnknown: true },
    { name: 'spells a number in another way', protocol: 'sotw', nonce: '03', isStale: true, isUnknown: true },
    { name: 'has a number from before the first', protocol: 'sotw', nonce: '0', isStale: true, isUnknown: true },
    { name: 'repeats the newest nonce', protocol: 'delta', nonce: '7', isStale: false, isUnknown: false },
    { name: 'has one from before', protocol: 'delta', nonce: '3', isStale: false, isUnknown: true },
    { name: 'has one that was never sent', protocol: 'delta', nonce: '8', isStale: false, isUnknown: true },
  ] as const) {
    it(`is ${isUnknown ? 'odd' : 'usual'} when it ${name}: ${nonce} (${protocol})`, () => {
      const verdict = answered(protocol).take(request(nonce));
      expect(verdict).to.deep.equal({ is: 'none', isStale, ...(isUnknown && { isUnknown }) });
    });
  }

  it('is odd with any nonce before the first response', () => {
    expect(new Verdicts('sotw').take(request('1'))).to.deep.equal({ is: 'none', isStale: true, isUnknown: true });
  });

  it('is no oddity of a gRPC client whose change of names crosses a response', () => {
    const mesh = new ModelMesh();
    for (const service of ['a', 'b']) mesh.put(instanceOf(service, `${service}-1`));
    const client = new FakeClient(mesh, 'sotw', false);
    client.want('endpoint', a);
    client.isPrompt = false;
    mesh.put(instanceOf('a', 'a-2'));
    client.takeLog();
    client.want('endpoint', a, b);
    client.ack('endpoint', { subscribe: [a, b] });
    expect(client.takeLog()).to.deep.equal([`endpoint +${b}`]);
    expect(client.effects.filter(({ is }) => is === 'odd')).to.deep.equal([]);
  });
});
