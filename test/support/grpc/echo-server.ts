/** An application that speaks gRPC and says which instance it is. */
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';

type Call = ServerUnaryCall<unknown, unknown>;

/** What may be called: `/echo.Echo/Say`. */
const methods = ['Say', 'Shout'];

export class EchoServer {
  readonly instance: string;
  calls = 0;
  /** Bodies of calls that wait because they have the header `x-hold`. */
  readonly held: (() => void)[] = [];
  #server = new Server();

  constructor(instance: string) {
    this.instance = instance;
  }

  /** Resolves with the port; 0: any. */
  async listen(port = 0): Promise<number> {
    this.#server = new Server();
    for (const service of ['echo.Echo', 'other.Echo']) {
      const implementation = Object.fromEntries(
        methods.map((method) => [method, (call: Call, answer: sendUnaryData<unknown>) => this.#onCall(call, answer)]),
      );
      this.#server.addService(definitionOf(service), implementation);
    }
    return new Promise((resolve, reject) =>
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
  }

  /** Answers what waits. */
  release(): void {
    for (const go of this.held.splice(0)) go();
  }

  /** At once, with whatever is under way. */
  close(): void {
    this.#server.forceShutdown();
  }

  /** Lets what is under way come to its end. */
  drain(): Promise<void> {
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  /** Headers say how: `x-hold`, `x-fail-times` with how often the instance fails with UNAVAILABLE. */
  #onCall(call: Call, answer: sendUnaryData<unknown>): void {
    this.calls++;
    const go = () => answer(null, { instance: this.instance });
    if (call.metadata.get('x-hold').length > 0) {
      this.held.push(go);
      return;
    }
    const failTimes = Number(call.metadata.get('x-fail-times')[0] ?? 0);
    const tried = Number(call.metadata.get('grpc-previous-rpc-attempts')[0] ?? 0);
    if (tried < failTimes) answer({ code: status.UNAVAILABLE, details: 'not now' });
    else go();
  }
}

function definitionOf(service: string): ServiceDefinition {
  const serialize = (value: unknown) => Buffer.from(JSON.stringify(value));
  const deserialize = (bytes: Buffer): unknown => JSON.parse(String(bytes));
  return Object.fromEntries(
    methods.map((method) => [
      method,
      {
        path: `/${service}/${method}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: serialize,
        requestDeserialize: deserialize,
        responseSerialize: serialize,
        responseDeserialize: deserialize,
      },
    ]),
  );
}
