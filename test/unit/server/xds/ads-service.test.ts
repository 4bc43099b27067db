import { expect } from 'chai';
import pino from 'pino';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { DeltaDiscoveryRequest } from '../../../../proto/types.ts';
import { AdsService } from '../../../../server/xds/ads-service.ts';
import type { StreamReport } from '../../../../server/xds/ads-stream.ts';
import { FakeCall } from '../../../support/fake-call.ts';
import { ModelMesh } from '../../../support/model-mesh.ts';
import { unreadReport } from '../../../support/unread-report.ts';

describe('the discovery service', () => {
  const open = (service: AdsService<StreamReport>, userAgentName = 'envoy') => {
    const call = new FakeCall<DeltaDiscoveryRequest, Buffer>();
    service.handlers().delta(call);
    const node = { id: 'client-1', userAgentName };
    const bytes = DeltaDiscoveryRequest.encode({ node, typeUrl: typeUrls.cluster });
    call.say(DeltaDiscoveryRequest.decode(bytes));
    return call;
  };
  const nothing = () => {};
  /** Who does not come alone is let in in the next turn of the event loop. */
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
  const create = () =>
    new AdsService({
      cache: new ModelMesh().cache,
      serverId: 'server-1',
      domain: 'mesh.local',
      log: pino({ level: 'silent' }),
      clock: () => 0,
      onUnused: nothing,
      onOddity: nothing,
      openReport: () => unreadReport,
    });

  it('R4 refuses streams with UNAVAILABLE before it has loaded, and after it has begun to end, without an answer', async () => {
    const service = create();
    const early = open(service);
    expect(early.ends).to.deep.equal([{ code: 'UNAVAILABLE', details: 'the server is loading or shutting down' }]);
    expect(early.framed).to.deep.equal([]);
    service.start();
    const inTime = open(service);
    await nextTurn();
    expect(inTime.framed).to.have.lengthOf(1);
    service.close();
    const late = open(service);
    await nextTurn();
    expect(late.ends.map(({ code }) => code)).to.deep.equal(['UNAVAILABLE']);
  });

  it('knows of which kinds its clients are, while there are any', async () => {
    const service = create();
    service.start();
    const calls = ['envoy', 'envoy', 'gRPC C-core'].map((userAgent) => open(service, userAgent));
    await nextTurn();
    for (const kinds of [['envoy', 'grpc'], ['envoy', 'grpc'], ['grpc'], []]) {
      expect([...service.kinds].sort()).to.deep.equal(kinds);
      calls.shift()?.leave();
    }
    service.close();
  });
});
