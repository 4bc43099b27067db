/** The reporting of load against a real gRPC server that does what the test says. */
import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { pino } from 'pino';
import { type CountsByCluster, LoadLedger } from '../../../../agent/registration/load-ledger.ts';
import { type LoadReporter, startLoadReporter } from '../../../../agent/registration/load-reporter.ts';
import type { Input } from '../../../../proto/load.ts';
import { loadReportingService } from '../../../../proto/services.ts';
import { fromStruct } from '../../../../proto/struct.ts';
import type { LoadStatsRequest, LoadStatsResponse } from '../../../../proto/types.ts';
import { FakeClock } from '../../process/fake-clock.ts';

type Call = ServerDuplexStream<LoadStatsRequest, Input<LoadStatsResponse>>;

class ReportServer {
  readonly #server = new Server();
  readonly #calls: Call[] = [];
  readonly #messages: LoadStatsRequest[] = [];
  #wake = () => {};

  async start(isCapable: boolean): Promise<string> {
    const handle = (call: Call) => {
      this.#calls.push(call);
      call.on('data', (message: LoadStatsRequest) => {
        this.#messages.push(message);
        this.#wake();
      });
      call.on('end', () => call.end());
      call.on('error', () => {});
    };
    if (isCapable) this.#server.addService(loadReportingService, { streamLoadStats: handle });
    const port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return `127.0.0.1:${port}`;
  }

  get calls(): number {
    return this.#calls.length;
  }

  async message(): Promise<LoadStatsRequest> {
    for (;;) {
      const [message] = this.#messages.splice(0, 1);
      if (message) return message;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  say(loadReportingInterval: Input<LoadStatsResponse>['loadReportingInterval']): void {
    this.#calls.at(-1)?.write({ sendAllClusters: true, loadReportingInterval });
  }

  refuse(code: status): void {
    this.#calls.at(-1)?.emit('error', { code, details: 'no more' });
  }

  close(): void {
    this.#server.forceShutdown();
  }
}

describe('the reporting of load', () => {
  let server: ReportServer;
  let client: Client;
  let clock: FakeClock;
  let reporter: LoadReporter;
  let requests: number;
  let warnings: string[];

  const counts = async (): Promise<CountsByCluster> =>
    new Map([['a', { requests, active: 0, successes: requests, errors: 0, drops: 0 }]]);

  async function start(isCapable = true): Promise<void> {
    server = new ReportServer();
    const address = await server.start(isCapable);
    client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    clock = new FakeClock();
    requests = 0;
    warnings = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => warnings.push(line) });
    reporter = startLoadReporter({
      client,
      identity: { id: 'web-1', service: 'web', namespace: 'books', zone: 'eu-1a', version: '0.1.0', hasApp: false },
      ledger: new LoadLedger(0),
      requestCounts: counts,
      clock,
      log,
    });
  }

  afterEach(() => {
    reporter.close();
    client.close();
    server.close();
  });

  /** When these are the timers that run. */
  const timers = async (...wanted: number[]) => {
    while (clock.waiting.join() !== wanted.join()) await new Promise((resolve) => setImmediate(resolve));
  };
  const fire = async (delayMs: number) => {
    await timers(delayMs);
    clock.advance(delayMs);
  };
  const successesIn = ({ clusterStats }: LoadStatsRequest) =>
    clusterStats.map(({ upstreamLocalityStats: [locality] }) => Number(locality?.totalSuccessfulRequests));

  it('says who it is, and reports as often as the server says', async () => {
    await start();
    const { node, clusterStats } = await server.message();
    expect(node).to.deep.include({ id: 'web-1', cluster: 'web', userAgentName: 'sluice', userAgentVersion: '0.1.0' });
    expect(node?.locality?.zone).to.equal('eu-1a');
    expect(fromStruct(node?.metadata ?? null)).to.deep.equal({ sluice: { namespace: 'books', service: 'web' } });
    expect(clusterStats).to.deep.equal([]);
    server.say({ seconds: 2, nanos: 500_000_000 });
    requests = 3;
    await fire(2_500);
    expect(successesIn(await server.message())).to.deep.equal([3]);
    requests = 7;
    await fire(2_500);
    expect(successesIn(await server.message())).to.deep.equal([4]);
  });

  for (const { name, interval, wanted } of [
    { name: 'that does not say how often, every 10 s', interval: undefined, wanted: 10_000 },
    { name: 'that wants it all the time, every 100 ms', interval: { nanos: 1 }, wanted: 100 },
  ]) {
    it(`reports to a server ${name}`, async () => {
      await start();
      await server.message();
      server.say(interval);
      await timers(wanted);
    });
  }

  it('takes another interval when the server says so, with one timer', async () => {
    await start();
    await server.message();
    server.say({ seconds: 2 });
    await timers(2_000);
    server.say({ seconds: 3 });
    await timers(3_000);
  });

  it('begins again later when the server ends the stream, and then says what happened meanwhile', async () => {
    await start();
    await server.message();
    server.say({ seconds: 1 });
    await timers(1_000);
    requests = 5;
    server.refuse(status.RESOURCE_EXHAUSTED);
    await timers(30_000);
    expect(warnings.join()).to.match(/takes no load reports: RESOURCE_EXHAUSTED: no more/);
    await fire(30_000);
    await server.message();
    server.say({ seconds: 1 });
    await fire(1_000);
    expect(successesIn(await server.message())).to.deep.equal([5]);
    expect(server.calls).to.equal(2);
  });

  it('leaves a server in peace that knows nothing of it, without a word', async () => {
    await start(false);
    const answered = await new Promise<number>((resolve) => {
      const { path, requestSerialize, responseDeserialize } = loadReportingService.streamLoadStats;
      // Asked after the reporter, on the same connection: when this has ended, so has that.
      const probe = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      probe.on('error', () => {});
      probe.on('status', ({ code }) => resolve(code));
    });
    expect(answered).to.equal(status.UNIMPLEMENTED);
    await new Promise((resolve) => setImmediate(resolve));
    expect([clock.waiting, warnings]).to.deep.equal([[], []]);
  });
});
