/** One agent for several applications, in this process beside a real server: what becomes of entries when their settings change. */
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { SharedAgent } from '../../agent/shared/shared-agent.ts';
import { loadSharedSettings } from '../../agent/shared/shared-config.ts';
import { systemClock } from '../../process/clock.ts';
import { formatHostPort } from '../../process/host-port.ts';
import { createLog } from '../../process/log.ts';
import { ask } from '../support/ask.ts';
import { findFreePorts } from '../support/processes.ts';
import { settingsSources } from '../support/settings-sources.ts';
import { App, type Mesh, startMesh } from '../support/start-mesh.ts';

type Line = Readonly<Record<string, unknown>>;

describe('entries of a shared agent', () => {
  let mesh: Mesh;
  let app: App;
  let appPort: number;
  let agent: SharedAgent;
  let lines: Line[];
  /** Each has a state directory of its own. */
  let tests = 0;
  /** Nobody listens there but those that are told to. */
  let ports: number[];

  const log = createLog('test', 'info', { write: (line) => void lines.push(JSON.parse(line)) });

  before(async () => {
    mesh = await startMesh();
    app = new App('here');
    appPort = await app.listen();
  });
  after(async () => {
    await app.close();
    await mesh.close();
  });

  function settingsOf(entries: readonly string[], above = '') {
    const config = join(mesh.folder, 'agent.yaml');
    writeFileSync(config, `${above}\nentries:\n${entries.map((entry) => `  - { ${entry} }\n`).join('')}`);
    const flags = { config, server: mesh.server.grpc, stateDir: join(mesh.folder, `state-${tests}`) };
    const loaded = loadSharedSettings(settingsSources({ flags }));
    return loaded !== undefined && 'settings' in loaded ? loaded.settings : expect.fail(JSON.stringify(loaded));
  }

  const above = 'admin: 127.0.0.1:0';
  const reload = (...entries: readonly string[]) => agent.reload(settingsOf(entries, above));

  async function start(...entries: readonly string[]): Promise<void> {
    agent = await SharedAgent.start(settingsOf(entries, above), { log, clock: systemClock, random: Math.random });
    await agent.ready;
  }

  /** What the log said last of this. */
  const said = (message: string) => lines.findLast(({ msg }) => String(msg).startsWith(message));
  const ended = (id: string) =>
    mesh.until(async () => lines.some(({ entry, msg }) => entry === id && String(msg).endsWith('has ended')));
  const states = async (...ids: string[]) =>
    Promise.all(ids.map(async (id) => (await mesh.instance('shop', id))?.state));
  const isPassing = (id: string) => mesh.until(async () => (await mesh.instance('shop', id))?.state === 'passing');
  const shop = (id: string, more = '') => `service: shop, id: ${id}, app: "127.0.0.1:${appPort}"${more}`;
  const through = async (port: number) => (await ask({ at: `127.0.0.1:${port}`, host: 'shop' })).body;

  beforeEach(async () => {
    lines = [];
    tests += 1;
    app.requests = 0;
    ports = await findFreePorts(2);
  });
  afterEach(async () => {
    await agent.drain();
    await agent.close();
    await mesh.until(async () => (await mesh.agents('shop')).length === 0);
  });

  it('hand their ports on to one of another id in their place', async () => {
    const own = `, outbound: "127.0.0.1:${ports[0]}", inbound: "127.0.0.1:${ports[1]}", state-dir: ${mesh.folder}/own`;
    await start(shop('shop-a', own));
    await isPassing('shop-a');
    await reload(shop('shop-b', own));
    expect(said('entries have changed')).to.deep.include({ added: ['shop-b'], removed: ['shop-a'] });
    await isPassing('shop-b');
    await ended('shop-a');
    expect(await states('shop-a', 'shop-b')).to.deep.equal([undefined, 'passing']);
    expect(await through(ports[0] ?? 0)).to.equal('here');
  });

  it('come again while they are still about to end', async () => {
    await start(shop('shop-a'), shop('shop-b'));
    await isPassing('shop-a');
    // A request under way keeps it.
    let answer = () => {};
    app.onRequest = (_request, response) => {
      answer = () => response.end('late');
    };
    const [inbound] = await inboundsOf('shop-a');
    const asked = ask({ at: inbound ?? '' });
    await mesh.until(async () => app.requests > 0);
    await reload(shop('shop-b'));
    await reload(shop('shop-a'), shop('shop-b'));
    expect(said('entries have changed')).to.deep.include({ added: ['shop-a'], removed: [] });
    await isPassing('shop-a');
    answer();
    expect((await asked).body).to.equal('late');
    app.onRequest = (_request, response) => response.end('here');
    await ended('shop-a');
    expect(await states('shop-a', 'shop-b')).to.deep.equal(['passing', 'passing']);
  });

  it('are the same instance all the while they change, also when their state is somewhere else', async () => {
    await start(shop('shop-a', ', version: v1'));
    await isPassing('shop-a');
    const seen = new Set<string | undefined>();
    let isOver = false;
    const watching = (async () => {
      while (!isOver) seen.add((await mesh.instance('shop', 'shop-a'))?.state);
    })();
    await reload(shop('shop-a', ', version: v2'));
    await reload(shop('shop-a', `, version: v3, state-dir: ${mesh.folder}/elsewhere`));
    await mesh.until(async () => (await mesh.agent('shop-a')).state === 'current');
    isOver = true;
    await watching;
    expect([...seen]).to.deep.equal(['passing']);
  });

  it('answer names where they did before', async () => {
    const dns = `, dns: "127.0.0.1:${ports[0]}"`;
    await start(`service: web, id: web-1${dns}`, shop('shop-a'));
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${ports[0]}`]);
    const before = await resolver.resolve4('shop.default.mesh.local');
    expect(before).to.have.length(1);
    await reload(`service: web, id: web-1, version: v2${dns}`, shop('shop-a'));
    expect(said('entries have changed')).to.deep.include({ changed: ['web-1'] });
    expect(await resolver.resolve4('shop.default.mesh.local')).to.deep.equal(before);
  });

  it('that cannot be started are left out, or go on as they were, and the others are not concerned', async () => {
    await start(shop('shop-a'), `service: web, id: web-1, outbound: "127.0.0.1:${ports[0]}"`);
    const stranger = createServer().listen(ports[1], '127.0.0.1');
    await once(stranger, 'listening');
    const taken = `outbound: "127.0.0.1:${ports[1]}"`;
    await reload(shop('shop-a'), `service: web, id: web-1, ${taken}`, shop('shop-b'));
    expect(said('entries have changed')).to.deep.include({ added: ['shop-b'], changed: [], removed: [] });
    expect(said('the entry cannot be started, it goes on as it was')).to.deep.include({ entry: 'web-1' });
    expect(await through(ports[0] ?? 0)).to.equal('here');
    expect(Object.keys((await readiness()).entries)).to.deep.equal(['shop-a', 'web-1', 'shop-b']);

    stranger.close();
    await once(stranger, 'close');
    await reload(shop('shop-a'), `service: web, id: web-1, ${taken}`, shop('shop-b'));
    expect(said('entries have changed')).to.deep.include({ changed: ['web-1'], removed: [] });
    expect(await through(ports[1] ?? 0)).to.equal('here');
  });

  it('do not change with what goes for the whole process', async () => {
    await start(shop('shop-a'));
    await agent.reload(settingsOf([shop('shop-b')], `admin: "127.0.0.1:${ports[0]}"\nlog-level: debug`));
    expect(said('these change only when the agent is started anew')).to.deep.include({
      settings: ['admin', 'log-level'],
    });
    expect(Object.keys((await readiness()).entries)).to.deep.equal(['shop-a']);
  });

  it('do not start when one of them cannot, and nothing is left of them', async () => {
    const stranger = createServer().listen(ports[0], '127.0.0.1');
    await once(stranger, 'listening');
    const settings = settingsOf([shop('shop-a'), `service: web, outbound: "127.0.0.1:${ports[0]}"`], above);
    const context = { log, clock: systemClock, random: Math.random };
    const refused = await SharedAgent.start(settings, context).catch((error: Error) => error.message);
    expect(refused).to.contain('EADDRINUSE');
    stranger.close();
    await once(stranger, 'close');
    agent = await SharedAgent.start(settings, context);
    await agent.ready;
  });

  async function readiness(): Promise<{ readonly entries: object }> {
    const response = await fetch(`http://${formatHostPort(agent.adminAddress)}/ready`);
    return JSON.parse(await response.text());
  }

  async function inboundsOf(id: string): Promise<string[]> {
    const line = lines.findLast(({ entry, msg }) => entry === id && msg === 'listening');
    return Array.isArray(line?.inbound) ? line.inbound.map(String) : [];
  }
});
