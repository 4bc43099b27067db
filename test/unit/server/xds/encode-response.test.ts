import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { DeltaDiscoveryResponse, DiscoveryResponse } from '../../../../proto/types.ts';
import { EncodedResource } from '../../../../server/compile/encoded-resource.ts';
import { encodeResponse } from '../../../../server/xds/encode-response.ts';
import type { Protocol, Response } from '../../../../server/xds/session.ts';

const resourceOf = (name: string) =>
  new EncodedResource({ typeUrl: typeUrls.cluster, name, version: '1', bytes: Buffer.from(name) });

const [one, other] = [resourceOf('one'), resourceOf('other')];

interface Case {
  readonly response: Response;
  readonly protocol: Protocol;
  readonly serverId: string;
}

const usual: Case = {
  response: { typeUrl: typeUrls.cluster, nonce: '1', version: 'v1', resources: [one], removed: [] },
  protocol: 'delta',
  serverId: 'server-1',
};

const encoded = ({ response, protocol, serverId }: Case) => encodeResponse(response, protocol, serverId);

/** What a message says, behind the prefix of gRPC. */
const read = ({ protocol }: Case, message: Buffer) => {
  const bytes = message.subarray(5);
  if (protocol === 'sotw') {
    const { typeUrl, nonce, versionInfo, controlPlane, resources } = DiscoveryResponse.decode(bytes);
    const names = resources.map(({ value }) => value.toString());
    return { typeUrl, nonce, version: versionInfo, serverId: controlPlane?.identifier, names, removed: [] };
  }
  const { typeUrl, nonce, systemVersionInfo, controlPlane, ...lists } = DeltaDiscoveryResponse.decode(bytes);
  const names = lists.resources.map(({ name }) => name);
  const removed = lists.removedResources;
  return { typeUrl, nonce, version: systemVersionInfo, serverId: controlPlane?.identifier, names, removed };
};

const wanted = ({ response: { typeUrl, nonce, version, resources, removed }, serverId }: Case) => {
  return { typeUrl, nonce, version, serverId, names: resources.map(({ name }) => name), removed };
};

describe('a response in bytes', () => {
  it('is put together once for all who are sent the same', () => {
    expect(encoded(usual)).to.equal(encoded({ ...usual, response: { ...usual.response, resources: [one] } }));
    const resources = [one, other];
    const several = () => encoded({ ...usual, response: { ...usual.response, resources } });
    expect(several()).to.equal(several());
  });

  for (const { name, more } of [
    { name: 'another nonce', more: { response: { ...usual.response, nonce: '2' } } },
    { name: 'another version', more: { response: { ...usual.response, version: 'v2' } } },
    { name: 'the other protocol', more: { protocol: 'sotw' } },
    { name: 'another server', more: { serverId: 'server-2' } },
    { name: 'another resource', more: { response: { ...usual.response, resources: [other] } } },
    { name: 'a further resource', more: { response: { ...usual.response, resources: [one, other] } } },
    { name: 'a removed resource', more: { response: { ...usual.response, removed: ['gone'] } } },
    { name: 'nothing', more: { response: { ...usual.response, resources: [] } } },
  ] satisfies readonly { name: string; more: Partial<Case> }[]) {
    it(`is another with ${name}`, () => {
      const message = encoded(usual);
      const changed = { ...usual, ...more };
      expect(read(changed, encoded(changed))).to.deep.equal(wanted(changed));
      expect(encoded(usual)).to.equal(message);
    });
  }

  it('is right for clients that are far apart', () => {
    for (let nonce = 1; nonce < 50; nonce++) {
      const each = { ...usual, response: { ...usual.response, nonce: String(nonce) } };
      expect(read(each, encoded(each))).to.deep.equal(wanted(each));
    }
  });
});
