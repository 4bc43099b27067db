/** What the control plane sees of an agent whose workers are real processes, and what happens when one of them hangs. */
import { expect } from 'chai';
import { markTypeUrl, typeUrls } from '../../../../agent/xds/resources.ts';
import { fromStruct } from '../../../../proto/struct.ts';
import { AgentHarness, admin } from '../registration/agent-harness.ts';
import { batchOf } from '../xds/mesh-fixture.ts';

describe('an agent with workers and its control plane', () => {
  let mesh: AgentHarness;
  let stopped: number | undefined;
  beforeEach(async () => {
    mesh = await new AgentHarness().start();
  });
  afterEach(async () => {
    go();
    await mesh.close();
  });

  async function start() {
    const agent = await mesh.agent({ workers: 2, upstream: 'reviews=127.0.0.1:0' });
    await mesh.server.next('ads', ({ request }) => request.typeUrl === markTypeUrl);
    const { body } = await admin(agent, '/stats');
    stopped = body.workers[1].pid;
    return agent;
  }

  /** The second worker hangs. */
  const stop = () => void (stopped !== undefined && process.kill(stopped, 'SIGSTOP'));
  const go = () => {
    if (stopped !== undefined) process.kill(stopped, 'SIGCONT');
    stopped = undefined;
  };

  /** Moves the clock until the agent has said hello again, but not so far that a worker were taken for hung. */
  async function reconnected(): Promise<void> {
    let hasSaidHello = false;
    void mesh.server.nextSession('hello').then(() => {
      hasSaidHello = true;
    });
    for (let movedMs = 0; !hasSaidHello; await soon()) {
      if (movedMs < 5_000) mesh.clock.advance(50);
      movedMs += 50;
    }
  }

  it('acknowledges a mark, and is ready, when the last of its workers uses it', async () => {
    const agent = await start();
    stop();
    mesh.server.send(...batchOf(['reviews.default'], { revision: 5 }));
    let isAcknowledged = false;
    const verdict = mesh.server.nextMarkVerdict().then((refusal) => {
      isAcknowledged = true;
      return refusal;
    });
    await mesh.server.next('ads', ({ request }) => request.typeUrl === typeUrls.names && request.responseNonce !== '');
    await until(() => agent.readiness.revision === 5);
    expect(agent.readiness).to.deep.include({ ready: false });
    expect(isAcknowledged).to.equal(false);
    go();
    expect(await verdict).to.equal(undefined);
    expect(agent.readiness).to.deep.include({ ready: true, revision: 5 });
  });

  it('acknowledges it when a worker that hangs has been killed', async () => {
    await start();
    stop();
    mesh.server.send(...batchOf(['reviews.default'], { revision: 5 }));
    const verdict = mesh.server.nextMarkVerdict();
    await mesh.server.next('ads', ({ request }) => request.typeUrl === typeUrls.names && request.responseNonce !== '');
    // The first one answers meanwhile: what it owes is answered in time.
    stopped = undefined;
    mesh.clock.advance(10_000);
    expect(await verdict).to.equal(undefined);
  });

  it('does not present a revision to a server that not all of its workers use', async () => {
    const agent = await start();
    stop();
    mesh.server.send(...batchOf(['reviews.default'], { revision: 5 }));
    await until(() => agent.readiness.revision === 5);
    mesh.server.endStreams();
    await mesh.server.next('session-end');
    mesh.server.forget();
    await reconnected();
    let isPresented = false;
    const first = mesh.server.next('ads').then(({ request }) => {
      isPresented = true;
      return fromStruct(request.node?.metadata ?? null).sluice;
    });
    // The agent answers on the other stream, so it has read the welcome.
    mesh.server.say({ ping: {} });
    await mesh.server.nextSession('pong');
    expect(isPresented).to.equal(false);
    go();
    expect(await first).to.deep.include({ revision: 5 });
  });
});

/** For what has no event; the time-out of the test bounds it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await soon();
}

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
