import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadAgentSettings } from '../../../../agent/config.ts';
import { formatProblem } from '../../../../model/problem.ts';
import { settingsSources } from '../../../support/settings-sources.ts';

const machine = { hostname: 'box', home: '/home/ada' };

function load(flags: Record<string, unknown>, environment: Record<string, string> = {}) {
  return loadAgentSettings(settingsSources({ flags, environment }), machine);
}

function settings(flags: Record<string, unknown>, environment: Record<string, string> = {}) {
  const loaded = load({ service: 'web', ...flags }, environment);
  return 'settings' in loaded ? loaded.settings : expect.fail(loaded.problems.map(formatProblem).join('\n'));
}

function faults(flags: Record<string, unknown>, environment: Record<string, string> = {}) {
  const loaded = load({ service: 'web', ...flags }, environment);
  return 'problems' in loaded ? loaded.problems.map(formatProblem) : expect.fail('it was accepted');
}

const at = (host: string, port: number) => ({ host, port });

describe('settings of an agent', () => {
  it('need only the service', () => {
    expect(settings({})).to.deep.equal({
      service: 'web',
      namespace: 'default',
      id: 'box-web',
      zone: '',
      labels: {},
      appPorts: [],
      servers: [at('127.0.0.1', 15_010)],
      outbound: at('127.0.0.1', 15_001),
      admin: at('127.0.0.1', 15_000),
      upstreams: [],
      advertise: undefined,
      appAdvertise: [],
      stateDir: '/home/ada/.local/state/sluice/default/box-web',
      acceptMesh: undefined,
      workers: 1,
      logLevel: 'info',
      forwardedHeaders: ['x-forwarded-for', 'x-forwarded-proto'],
      accessLog: undefined,
      interception: undefined,
      runAs: undefined,
      dns: undefined,
    });
  });

  it('put everything where it belongs', () => {
    expect(
      settings(
        {
          version: 'v2',
          label: ['team=books', 'sluice.dev/tier=1'],
          namespace: 'shop',
          id: 'web-7',
          zone: 'z1',
          app: '127.0.0.1:8080',
          server: 'cp-1.local:15010,cp-2.local:15010',
          inbound: '0.0.0.0:15006',
          upstream: ['reviews:9080=127.0.0.1:19080', 'Ratings.prod=127.0.0.1:0'],
          acceptMesh: 'mesh-b',
          workers: '4',
          logLevel: 'debug',
          forwardedHeaders: ['via', 'forwarded'],
          accessLog: '/var/log/web.log',
          accessLogSample: '0.5',
          accessLogSlow: '1.5s',
        },
        { XDG_STATE_HOME: '/state' },
      ),
    ).to.deep.equal({
      service: 'web',
      namespace: 'shop',
      id: 'web-7',
      zone: 'z1',
      labels: { team: 'books', 'sluice.dev/tier': '1', version: 'v2' },
      appPorts: [{ name: '', app: at('127.0.0.1', 8080), inbound: at('0.0.0.0', 15_006) }],
      servers: [at('cp-1.local', 15_010), at('cp-2.local', 15_010)],
      outbound: at('127.0.0.1', 15_001),
      admin: at('127.0.0.1', 15_000),
      upstreams: [
        { host: 'reviews', port: 9080, listen: at('127.0.0.1', 19_080) },
        { host: 'ratings.prod', port: undefined, listen: at('127.0.0.1', 0) },
      ],
      advertise: undefined,
      appAdvertise: [],
      stateDir: '/state/sluice/shop/web-7',
      acceptMesh: 'mesh-b',
      workers: 4,
      logLevel: 'debug',
      forwardedHeaders: ['via', 'forwarded'],
      accessLog: { path: '/var/log/web.log', samplePercent: 0.5, slowMs: 1_500 },
      interception: undefined,
      runAs: undefined,
      dns: undefined,
    });
  });

  it('add none of the headers that tell where a request came from', () =>
    expect(settings({ forwardedHeaders: 'none' }).forwardedHeaders).to.deep.equal([]));

  describe('that have packet rules bring connections', () => {
    it('listen for the network, at one inbound for all ports of the application', () => {
      const { appPorts, interception, dns } = settings({
        app: ['http=127.0.0.1:8080', 'grpc=127.0.0.1:8081'],
        intercept: 'nftables',
        server: '10.0.0.1:15010',
      });
      expect(interception).to.deep.equal({ backend: 'nftables', vipRange: '240.240.0.0/16' });
      expect(dns).to.deep.equal({ listen: at('127.0.0.1', 15_053), domain: 'mesh.local', vipRange: '240.240.0.0/16' });
      expect(appPorts.map(({ inbound }) => inbound)).to.deep.equal([at('0.0.0.0', 15_006), at('0.0.0.0', 15_006)]);
    });

    it('run the application as who they are told to', () => {
      expect(settings({ runAs: '1000:100' }).runAs).to.deep.equal({ uid: 1000, gid: 100 });
      expect(settings({ runAs: '1000' }).runAs).to.deep.equal({ uid: 1000, gid: 1000 });
    });

    it('listen where they are told to', () => {
      const { appPorts } = settings({ app: '127.0.0.1:8080', inbound: '10.0.0.7:16006', intercept: 'iptables' });
      expect(appPorts.map(({ inbound }) => inbound)).to.deep.equal([at('10.0.0.7', 16_006)]);
    });
  });

  it('pair the ports of the application with their inbounds', () => {
    const { appPorts } = settings({
      app: ['http=127.0.0.1:8080', 'grpc=127.0.0.1:8081'],
      inbound: ['grpc=127.0.0.1:15007', 'http=127.0.0.1:15006'],
    });
    expect(appPorts).to.deep.equal([
      { name: 'http', app: at('127.0.0.1', 8080), inbound: at('127.0.0.1', 15_006) },
      { name: 'grpc', app: at('127.0.0.1', 8081), inbound: at('127.0.0.1', 15_007) },
    ]);
  });

  for (const { name, flags, want } of [
    { name: 'an address', flags: { advertise: '10.0.0.7' }, want: { address: '10.0.0.7', port: undefined } },
    { name: 'an address and a port', flags: { advertise: '10.0.0.7:80' }, want: { address: '10.0.0.7', port: 80 } },
    { name: 'an IPv6 address', flags: { advertise: 'fd00::7' }, want: { address: 'fd00::7', port: undefined } },
    {
      name: 'an IPv6 address and a port',
      flags: { advertise: '[fd00::7]:80' },
      want: { address: 'fd00::7', port: 80 },
    },
  ]) {
    it(`advertise ${name}`, () => expect(settings(flags).advertise).to.deep.equal(want));
  }

  describe('are refused, each with a sentence:', () => {
    const app = '127.0.0.1:8080';
    for (const { name, flags, want } of [
      { name: 'a service that is no DNS label', flags: { service: 'Web!' }, want: /^--service: must be a DNS label/ },
      { name: 'an id that is no file name', flags: { id: '../x' }, want: /^--id: must be letters, digits/ },
      { name: 'an address without a port', flags: { outbound: '127.0.0.1' }, want: /^--outbound: must be HOST:PORT/ },
      {
        name: 'a server at port 0',
        flags: { server: 'cp:0' },
        want: /^--server\[0\]: must be HOST:PORT with a port from 1/,
      },
      {
        name: 'an upstream without a name',
        flags: { upstream: '127.0.0.1:1' },
        want: /^--upstream: "127.0.0.1:1" must be NAME=VALUE$/,
      },
      {
        name: 'an upstream with a bad name',
        flags: { upstream: 'a:b:c=127.0.0.1:1' },
        want: /must be SERVICE or SERVICE:PORT/,
      },
      { name: 'a label that is none', flags: { label: 'a b=c' }, want: /^--label: a b: / },
      {
        name: 'two versions',
        flags: { version: 'v1', label: 'version=v2' },
        want: /^--version: is "v1", but the label version is "v2"$/,
      },
      {
        name: 'an inbound without an application',
        flags: { inbound: '127.0.0.1:1' },
        want: /^--inbound: goes with --app/,
      },
      {
        name: 'several ports of which one has no name',
        flags: { app: [app, `grpc=${app}`], inbound: [`grpc=${app}`] },
        want: /^--app: each of several ports needs its name/,
      },
      {
        name: 'a port without an inbound',
        flags: { app: [`http=${app}`, `grpc=${app}`], inbound: [`http=${app}`] },
        want: /^--inbound: is missing for the port "grpc"/,
      },
      {
        name: 'an inbound for a port that is not there',
        flags: { app, inbound: [app, `grpc=${app}`] },
        want: /^--inbound: --app has no port named "grpc"$/,
      },
      {
        name: 'one advertised port for several',
        flags: { app: [`a=${app}`, `b=${app}`], inbound: ['a=127.0.0.1:1', 'b=127.0.0.1:2'], advertise: '10.0.0.1:80' },
        want: /^--advertise: cannot have a port when/,
      },
      {
        name: 'inbounds on different hosts without an address to advertise',
        flags: { app: [`a=${app}`, `b=${app}`], inbound: ['a=127.0.0.1:1', 'b=0.0.0.0:2'] },
        want: /^--inbound: must all have the same host/,
      },
      { name: 'a name to advertise', flags: { advertise: 'web.local' }, want: /^--advertise: must be an IP address/ },
      {
        name: '--app-advertise that is no address',
        flags: { app, appAdvertise: 'x' },
        want: /^--app-advertise: "x" must be HOST:PORT/,
      },
      {
        name: '--app-advertise with a name that somebody would have to look up',
        flags: { app, appAdvertise: 'web.local:80' },
        want: /^--app-advertise: "web.local:80" must be an IP address and a port/,
      },
      {
        name: '--app-advertise of a port that the application does not have',
        flags: { app, appAdvertise: 'grpc=10.0.0.1:80' },
        want: /^--app-advertise: --app has no port named "grpc"/,
      },
      {
        name: '--app-advertise at two addresses',
        flags: {
          app: ['a=127.0.0.1:1', 'b=127.0.0.1:2'],
          inbound: ['a=127.0.0.1:3', 'b=127.0.0.1:4'],
          appAdvertise: ['a=10.0.0.1:1', 'b=10.0.0.2:2'],
        },
        want: /^--app-advertise: must have the same host for all ports/,
      },
      {
        name: '--intercept with another word',
        flags: { intercept: 'magic' },
        want: /^--intercept: must be none, iptables, nftables or external$/,
      },
      {
        name: 'more workers than 64',
        flags: { workers: '65' },
        want: /^--workers: must be a whole number from 1 to 64$/,
      },
      {
        name: 'no workers at all',
        flags: { workers: '0' },
        want: /^--workers: must be a whole number from 1 to 64$/,
      },
      {
        name: 'a log level that there is not',
        flags: { logLevel: 'loud' },
        want: /^--log-level: must be one of debug, info/,
      },
      {
        name: 'a header that tells nothing of where a request came from',
        flags: { forwardedHeaders: 'x-real-ip' },
        want: /^--forwarded-headers\[0\]: must be of x-forwarded-for, /,
      },
      {
        name: 'a share of requests that is none',
        flags: { accessLog: '-', accessLogSample: '101' },
        want: /^--access-log-sample: must be a number from 0 to 100$/,
      },
      {
        name: 'a share of requests that is no number',
        flags: { accessLogSample: '1e1' },
        want: /^--access-log-sample: must be a number from 0 to 100$/,
      },
      {
        name: 'a duration without a unit',
        flags: { accessLogSlow: '500' },
        want: /^--access-log-slow: must be a duration/,
      },
      {
        name: 'a header and none of them',
        flags: { forwardedHeaders: 'via,none' },
        want: /^--forwarded-headers: is "none" and a header/,
      },
    ]) {
      it(name, () => {
        const [fault = '', ...others] = faults(flags);
        expect(fault).to.match(want);
        expect(others).to.deep.equal([]);
      });
    }
  });

  it('are reported all at once, wherever they came from', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
    const config = join(folder, 'agent.yaml');
    writeFileSync(config, 'zone: z1\ninbund: 127.0.0.1:1\nadmin: nowhere\n');
    const got = faults({ config, service: 'Web', outbound: 'x' }, { SLUICE_LOG_LEVEL: 'loud', SLUICE_DNS: 'y' });
    rmSync(folder, { recursive: true });
    expect(got.map((fault) => fault.replace(`${folder}/`, '').replace(/: (must|is no).*/, ''))).to.deep.equal([
      'agent.yaml:2:1: inbund',
      '--service',
      '--outbound',
      'agent.yaml:3:1: admin',
      'SLUICE_LOG_LEVEL',
      'SLUICE_DNS',
    ]);
  });

  describe('with an application and an inbound that only this machine can dial', () => {
    const app = '127.0.0.1:8080';

    it('need an address to advertise when the server is on another machine', () => {
      expect(faults({ app, server: 'cp.local:15010' })).to.deep.equal([
        '--advertise: must be given: the inbound listens on 127.0.0.1, which other machines cannot dial, and the server ' +
          'cp.local is on another one. Or listen on 0.0.0.0: --inbound 0.0.0.0:15006',
      ]);
    });

    for (const { name, flags } of [
      { name: 'do not when the server is on this machine', flags: { app, server: '[::1]:15010,localhost:15011' } },
      { name: 'do not when an address is given', flags: { app, server: 'cp.local:15010', advertise: '10.0.0.7' } },
      {
        name: 'do not when the inbound listens on all addresses',
        flags: { app, server: 'cp.local:15010', inbound: '0.0.0.0:1' },
      },
      { name: 'do not without an application', flags: { server: 'cp.local:15010' } },
    ]) {
      it(name, () => expect(load({ service: 'web', ...flags })).to.have.property('settings'));
    }
  });
});
