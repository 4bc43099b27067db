/** Health and reflection over real connections, as probes and tools such as grpcurl use them. */
import { Client, credentials, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { Input } from '../../proto/load.ts';
import { healthService, reflectionServices } from '../../proto/services.ts';
import {
  HealthCheckRequest,
  HealthCheckResponse,
  ServerReflectionRequest,
  type ServerReflectionResponse,
  HealthCheckResponseServingStatus as ServingStatus,
} from '../../proto/types.ts';
import { askOnce, GrpcStream } from '../support/grpc-stream.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';

const ads = 'envoy.service.discovery.v3.AggregatedDiscoveryService';

describe('services for tools', () => {
  let mesh: Mesh;
  beforeEach(async () => {
    mesh = await startMesh();
  });
  afterEach(() => mesh.close());

  const check = (service: string) =>
    askOnce(mesh.server.grpc, healthService.check.path, {
      bytes: HealthCheckRequest.encode({ service }),
      decode: (bytes) => HealthCheckResponse.decode(bytes),
    });

  for (const service of ['', ads, 'envoy.service.load_stats.v3.LoadReportingService', 'sluice.v1.AgentService']) {
    it(`say that ${service === '' ? 'the server' : service} serves`, async () =>
      expect(await check(service)).to.deep.include({ status: ServingStatus.SERVING }));
  }

  it('say of a service that is not there that it is not', async () =>
    expect(await check('nobody')).to.deep.include({ code: status.NOT_FOUND }));

  it('tell those that watch when the server drains, and end their streams', async () => {
    const client = new Client(mesh.server.grpc, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = healthService.watch;
    const watch = (service: string) => {
      const told: number[] = [];
      const call = client.makeServerStreamRequest<HealthCheckRequest, HealthCheckResponse>(
        path,
        requestSerialize,
        responseDeserialize,
        { service },
      );
      const first = new Promise<void>((resolve) => call.once('data', () => resolve()));
      call.on('data', (response) => told.push(response.status));
      const ended = new Promise<number>((resolve) => call.on('status', ({ code }) => resolve(code)));
      call.on('error', () => {});
      return { told, first, ended };
    };
    const [whole, one, none] = [watch(''), watch(ads), watch('nobody')];
    await Promise.all([whole.first, one.first, none.first]);
    await mesh.server.close();
    expect(await Promise.all([whole.ended, one.ended, none.ended])).to.deep.equal([status.OK, status.OK, status.OK]);
    expect(whole.told).to.deep.equal([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
    expect(one.told).to.deep.equal(whole.told);
    expect(new Set(none.told)).to.deep.equal(new Set([ServingStatus.SERVICE_UNKNOWN]));
    client.close();
    await mesh.startServer();
  });

  for (const { serverReflectionInfo } of reflectionServices) {
    const { path, responseDeserialize } = serverReflectionInfo;
    it(`describe every service that is there (${path.split('/')[1]})`, async () => {
      const stream = new GrpcStream<ServerReflectionResponse>(mesh.server.grpc, path, responseDeserialize);
      const ask = (question: Input<ServerReflectionRequest>) => {
        stream.write(ServerReflectionRequest.encode(question));
        return stream.answer();
      };
      const services = (await ask({ listServices: '' })).listServicesResponse?.service.map(({ name }) => name) ?? [];
      expect(services).to.include.members([ads, 'grpc.health.v1.Health', 'sluice.v1.AgentService']);
      for (const fileContainingSymbol of services) {
        const { fileDescriptorResponse } = await ask({ fileContainingSymbol });
        expect(fileDescriptorResponse?.fileDescriptorProto, fileContainingSymbol).to.have.length.above(0);
      }
      expect((await ask({ fileContainingSymbol: 'nobody' })).errorResponse?.errorCode).to.equal(status.NOT_FOUND);
      stream.end();
      expect((await stream.ended).code).to.equal(status.OK);
    });
  }

  it('take many questions at once, and answer them in turn', async () => {
    const [reflection] = reflectionServices;
    if (reflection === undefined) throw new Error('there is none');
    const { path, responseDeserialize } = reflection.serverReflectionInfo;
    const stream = new GrpcStream<ServerReflectionResponse>(mesh.server.grpc, path, responseDeserialize);
    const names = Array.from({ length: 200 }, (_, n) => `n${n}`);
    for (const fileByFilename of names) stream.write(ServerReflectionRequest.encode({ fileByFilename }));
    stream.end();
    for (const name of names) expect((await stream.answer()).originalRequest?.fileByFilename).to.equal(name);
    expect((await stream.ended).code).to.equal(status.OK);
  });
});
