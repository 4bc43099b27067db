/** Whole agents on free ports with a state directory of their own, beside a fake control plane and a clock that stands still. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { loadAgentSettings } from '../../../../agent/config.ts';
import { type RunningAgent, startAgent } from '../../../../agent/start.ts';
import { formatHostPort } from '../../../../process/host-port.ts';
import { settingsSources } from '../../../support/settings-sources.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { silent } from '../xds/session-harness.ts';
import { FakeServer } from './fake-server.ts';

export class AgentHarness {
  readonly clock = new FakeClock();
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-agent-'));
  server = new FakeServer();
  readonly #closing: (() => void | Promise<void>)[] = [];

  async start(): Promise<this> {
    await this.server.start();
    return this;
  }

  /** An agent of `web` named `web-1`; `flags` come on top. */
  async agent(flags: Record<string, unknown> = {}): Promise<RunningAgent> {
    const loaded = loadAgentSettings(
      settingsSources({
        flags: {
          service: 'web',
          id: 'web-1',
          server: formatHostPort(this.server.address),
          outbound: '127.0.0.1:0',
          admin: '127.0.0.1:0',
          stateDir: join(this.folder, 'state'),
          ...flags,
        },
      }),
    );
    const settings = 'settings' in loaded ? loaded.settings : expect.fail(JSON.stringify(loaded.problems));
    const agent = await startAgent(settings, { log: silent, clock: this.clock, random: () => 0.5 });
    this.#closing.push(() => agent.close());
    return agent;
  }

  /** An application that answers every request. */
  async app(): Promise<string> {
    const app: Server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(app, 'listening');
    this.#closing.push(() => {
      app.close();
      app.closeAllConnections();
    });
    const address = app.address();
    return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : expect.fail('no address');
  }

  /** The control plane goes, as by kill -9; `restart` brings another one to the same port. */
  stopServer(): void {
    this.server.close();
  }

  async restartServer(): Promise<void> {
    const { port } = this.server.address;
    this.server = await new FakeServer().start(port);
  }

  async close(): Promise<void> {
    for (const end of this.#closing.splice(0).reverse()) await end();
    rmSync(this.folder, { recursive: true, force: true });
    this.server.close();
  }
}

export async function admin(agent: RunningAgent, path: string, method = 'GET') {
  const response = await fetch(`http://${formatHostPort(agent.addresses.admin)}${path}`, { method });
  const body = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, body: isJson ? JSON.parse(body) : body };
}

/** A request of the application through the outbound port. */
export async function through(agent: RunningAgent, host: string) {
  const { status, reason } = await answerTo(agent, host);
  return { status, reason };
}

/** The same, with the sentence of the answer. */
export async function answerTo(agent: RunningAgent, host: string) {
  const { outbound } = agent.addresses;
  const sent = request({ host: outbound.host, port: outbound.port, path: '/', headers: { host }, agent: false });
  sent.end();
  const [response] = await once(sent, 'response');
  const sentence = (await text(response)).trim();
  return { status: response.statusCode, reason: response.headers['x-sluice-reason'], sentence };
}
