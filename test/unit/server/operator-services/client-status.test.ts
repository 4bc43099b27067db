import { expect } from 'chai';
import { pino } from 'pino';
import type { Input } from '../../../../proto/load.ts';
import { fromStruct } from '../../../../proto/struct.ts';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { ClientStatusRequest, ClientStatusResponse, Cluster } from '../../../../proto/types.ts';
import { encodeResource } from '../../../../server/compile/encoded-resource.ts';
import {
  type ClientStatusLimits,
  ClientStatusService,
  type ShownStream,
} from '../../../../server/operator-services/client-status.ts';
import type { StreamIdentity } from '../../../../server/xds/identity.ts';
import type { HeldResource } from '../../../../server/xds/session.ts';

const cluster = encodeResource(Cluster, 'a.default|http|', { name: 'a.default|http|' });

function identity(id: string): StreamIdentity {
  return {
    id,
    namespace: 'default',
    zone: '',
    service: 'web',
    userAgent: 'envoy',
    kind: 'envoy',
    version: '1.40.0',
    hasApp: false,
    presented: { meshId: '', revision: 0 },
    metadata: {},
  };
}

function held(more: Partial<HeldResource> = {}): HeldResource {
  const { typeUrl, name, version } = cluster;
  return { typeUrl, name, version, state: 'acked', refused: undefined, resource: cluster, ...more };
}

const stream = (id: string, ...resources: HeldResource[]): ShownStream => ({
  identity: identity(id),
  resources: () => resources,
});

function serviceOf(streams: readonly ShownStream[], limits?: Partial<ClientStatusLimits>): ClientStatusService {
  const all = { resources: 100, bytes: 10_000, questions: 10, ...limits };
  return new ClientStatusService({ streams: () => streams, log: pino({ level: 'silent' }), limits: all });
}

async function ask(service: ClientStatusService, question: Input<ClientStatusRequest> = {}) {
  const received = ClientStatusRequest.decode(ClientStatusRequest.encode(question));
  const answer = await service.answer(received);
  service.onTaken();
  return ClientStatusResponse.decode(answer).config;
}

const idsOf = (configs: readonly { readonly node: { readonly id: string } | null }[]) => configs.map((c) => c.node?.id);

/** Asserts that it is refused, with these words in the sentence. */
async function refused(question: Promise<unknown>, words: RegExp): Promise<void> {
  const reason = await question.then(
    () => 'answered',
    (error: Error) => error.message,
  );
  expect(reason).to.match(words);
}

describe('the client status service', () => {
  it('says whose stream it is', async () => {
    const [config] = await ask(serviceOf([stream('web-1')]));
    const { metadata, ...node } = config?.node ?? { metadata: null };
    expect(node).to.deep.include({
      id: 'web-1',
      cluster: 'web',
      userAgentName: 'envoy',
      userAgentVersion: '1.40.0',
    });
    expect(fromStruct(metadata)).to.deep.equal({ sluice: { namespace: 'default', service: 'web' } });
  });

  for (const { state, configStatus, clientStatus } of [
    { state: 'requested', configStatus: 2, clientStatus: 1 },
    { state: 'sent', configStatus: 3, clientStatus: 1 },
    { state: 'acked', configStatus: 1, clientStatus: 3 },
    { state: 'nacked', configStatus: 4, clientStatus: 4 },
  ] as const) {
    it(`says of a resource that it is ${state}`, async () => {
      const [config] = await ask(serviceOf([stream('web-1', held({ state }))]));
      const [resource] = config?.genericXdsConfigs ?? [];
      const { typeUrl, name, version } = cluster;
      expect(resource).to.deep.include({ typeUrl, name, versionInfo: version, configStatus, clientStatus });
    });
  }

  it('says why a resource was refused, and which version', async () => {
    const nacked = held({ state: 'nacked', refused: { version: 'bad', message: 'no such subset' } });
    const [config] = await ask(serviceOf([stream('web-1', nacked)]));
    expect(config?.genericXdsConfigs[0]?.errorState).to.deep.include({ details: 'no such subset', versionInfo: 'bad' });
  });

  it('shows the content of a resource unless asked not to, and never that of a secret', async () => {
    const secret = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
    const service = serviceOf([stream('web-1', held(), held({ typeUrl: secret, name: 'key' }))]);
    const shown = (await ask(service))[0]?.genericXdsConfigs.map(({ xdsConfig }) => xdsConfig?.type_url);
    expect(shown).to.deep.equal([typeUrls.cluster, undefined]);
    const [config] = await ask(service, { excludeResourceContents: true });
    expect(config?.genericXdsConfigs.map(({ xdsConfig }) => xdsConfig)).to.deep.equal([null, null]);
  });

  for (const { name, matchers, wanted } of [
    { name: 'without matchers all', matchers: [], wanted: ['web-1', 'web-2', 'db-1'] },
    { name: 'one by its id', matchers: [{ nodeId: { exact: 'web-2' } }], wanted: ['web-2'] },
    { name: 'some by a prefix', matchers: [{ nodeId: { prefix: 'web-' } }], wanted: ['web-1', 'web-2'] },
    {
      name: 'some by an expression',
      matchers: [{ nodeId: { safeRegex: { regex: '.*-1' } } }],
      wanted: ['web-1', 'db-1'],
    },
    {
      name: 'whom any of several matchers takes',
      matchers: [{ nodeId: { suffix: '-2' } }, { nodeId: { contains: 'b-1', ignoreCase: true } }],
      wanted: ['web-1', 'web-2', 'db-1'],
    },
    { name: 'all by an empty matcher', matchers: [{}], wanted: ['web-1', 'web-2', 'db-1'] },
    { name: 'nobody by an id that nobody has', matchers: [{ nodeId: { exact: 'x' } }], wanted: [] },
  ]) {
    it(`shows ${name}`, async () => {
      const service = serviceOf(['web-1', 'web-2', 'db-1'].map((id) => stream(id)));
      expect(idsOf(await ask(service, { nodeMatchers: matchers }))).to.deep.equal(wanted);
    });
  }

  for (const { name, question, words } of [
    {
      name: 'metadata',
      question: { nodeMatchers: [{ nodeMetadatas: [{}] }] },
      words: /node_metadatas is not supported/,
    },
    {
      name: 'an expression that is none',
      question: { nodeMatchers: [{ nodeId: { safeRegex: { regex: '(' } } }] },
      words: /node_matchers\[0\]\.node_id: regular expression "\(" is not usable/,
    },
    {
      name: 'more matchers than anybody needs',
      question: { nodeMatchers: Array.from({ length: 101 }, () => ({ nodeId: { exact: 'x' } })) },
      words: /more than 100 node_matchers/,
    },
  ]) {
    it(`refuses to choose by ${name}`, () => refused(ask(serviceOf([stream('web-1')]), question), words));
  }

  it('refuses an answer with too many resources or bytes, and goes on answering others', async () => {
    const streams = ['web-1', 'web-2'].map((id) => stream(id, held(), held()));
    const nodeMatchers = [{ nodeId: { exact: 'web-2' } }];
    await refused(ask(serviceOf(streams, { resources: 3 })), /more than 3 resources/);
    const small = serviceOf(streams, { bytes: 450 });
    await refused(ask(small), /450 bytes/);
    expect(idsOf(await ask(small, { nodeMatchers }))).to.deep.equal(['web-2']);
  });

  it('refuses more questions at once than it may have', async () => {
    const service = serviceOf([stream('web-1', held())], { questions: 2 });
    const asked = [ask(service), ask(service)];
    await refused(ask(service), /2 questions are being answered/);
    await Promise.all(asked);
    expect(await ask(service)).to.have.lengthOf(1);
  });

  it('counts an answer for as long as nobody has taken it', async () => {
    const service = serviceOf([stream('web-1', held())], { questions: 1 });
    await service.answer(ClientStatusRequest.decode(Buffer.alloc(0)));
    await refused(ask(service), /1 questions are being answered, or their answers are not read/);
    service.onTaken();
    await refused(ask(service, { nodeMatchers: [{ nodeMetadatas: [{}] }] }), /not supported/);
    expect(await ask(service)).to.have.lengthOf(1);
  });

  it('is the same whether it is made in one piece or in many', async () => {
    const many = Array.from({ length: 1_203 }, (_, n) => held({ name: `n${n}` }));
    const service = serviceOf([stream('web-1', ...many)], { resources: 2_000, bytes: 1_000_000 });
    const [config, ...others] = await ask(service);
    expect(others).to.deep.equal([]);
    expect(config?.genericXdsConfigs.map(({ name }) => name)).to.deep.equal(many.map(({ name }) => name));
  });
});
