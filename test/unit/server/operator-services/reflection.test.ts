import { expect } from 'chai';
import { pino } from 'pino';
import { type DescribedFile, describeFiles } from '../../../../proto/descriptors.ts';
import type { Input } from '../../../../proto/load.ts';
import { ServerReflectionRequest, ServerReflectionResponse } from '../../../../proto/types.ts';
import { ReflectionService } from '../../../../server/operator-services/reflection.ts';

const file = (name: string, ...dependencies: string[]): DescribedFile => ({
  name,
  bytes: Buffer.from(name),
  dependencies,
  symbols: [`${name}.Message`],
});

describe('the reflection service', () => {
  let described = 0;
  const service = () =>
    new ReflectionService({
      services: ['a.Service', 'b.Service'],
      describeFiles: () => {
        described++;
        return [file('a', 'b', 'c'), file('b', 'c'), file('c'), file('d')];
      },
      log: pino({ level: 'silent' }),
    });
  /** As it goes over the wire and comes back. */
  const ask = (question: Input<ServerReflectionRequest>, asked = service()) => {
    const received = ServerReflectionRequest.decode(ServerReflectionRequest.encode(question));
    return ServerReflectionResponse.decode(ServerReflectionResponse.encode(asked.answer(received)));
  };
  const namesIn = (response: ServerReflectionResponse) =>
    response.fileDescriptorResponse?.fileDescriptorProto.map((bytes) => Buffer.from(bytes).toString());

  it('lists the services, and repeats the question', () => {
    const answer = ask({ host: 'h', listServices: '*' });
    expect(answer.listServicesResponse?.service.map(({ name }) => name)).to.deep.equal(['a.Service', 'b.Service']);
    expect(answer.validHost).to.equal('h');
    expect(answer.originalRequest?.listServices).to.equal('*');
  });

  it('describes a file, or what declares a symbol, with all that it needs', () => {
    expect(namesIn(ask({ fileByFilename: 'a' }))).to.deep.equal(['a', 'b', 'c']);
    expect(namesIn(ask({ fileContainingSymbol: 'b.Message' }))).to.deep.equal(['b', 'c']);
  });

  it('makes the descriptions when the first question comes, and once', () => {
    described = 0;
    const asked = service();
    expect(described).to.equal(0);
    ask({ fileByFilename: 'a' }, asked);
    ask({ fileByFilename: 'b' }, asked);
    expect(described).to.equal(1);
  });

  for (const { name, question, code } of [
    { name: 'a file that is not there', question: { fileByFilename: '../../etc/passwd' }, code: 5 },
    { name: 'a symbol that is not there', question: { fileContainingSymbol: 'x'.repeat(10_000) }, code: 5 },
    { name: 'an extension', question: { fileContainingExtension: { containingType: 'a' } }, code: 5 },
    { name: 'the extensions of no type', question: { allExtensionNumbersOfType: 'x' }, code: 5 },
    { name: 'nothing', question: {}, code: 3 },
  ]) {
    it(`answers a question for ${name} with an error, and goes on`, () => {
      const { errorResponse } = ask(question);
      expect(errorResponse?.errorCode).to.equal(code);
      expect(errorResponse?.errorMessage).to.have.length.above(10);
    });
  }

  it('knows of no extensions of a type', () => {
    const answer = ask({ allExtensionNumbersOfType: 'a.Message' }).allExtensionNumbersResponse;
    expect(answer).to.deep.include({ baseTypeName: 'a.Message', extensionNumber: [] });
  });

  it('describes all that this server speaks', () => {
    const symbols = new Set(describeFiles().flatMap((each) => each.symbols));
    for (const name of ['envoy.service.discovery.v3.AggregatedDiscoveryService', 'sluice.v1.AgentService.Connect']) {
      expect(symbols.has(name), name).to.equal(true);
    }
  });
});
