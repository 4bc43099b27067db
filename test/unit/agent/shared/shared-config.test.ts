import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { EntrySettings } from '../../../../agent/agent-settings.ts';
import { loadSharedSettings } from '../../../../agent/shared/shared-config.ts';
import { formatProblem } from '../../../../model/problem.ts';
import type { SettingsSources } from '../../../../process/settings.ts';
import { settingsSources } from '../../../support/settings-sources.ts';

const machine = { hostname: 'box', home: '/home/ada', uid: 0 };
const at = (host: string, port: number) => ({ host, port });

describe('the settings of several applications', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-entries-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function load(text: string, sources: Partial<SettingsSources> = {}) {
    const config = join(folder, 'agent.yaml');
    writeFileSync(config, text);
    return loadSharedSettings(settingsSources({ ...sources, flags: { config, ...sources.flags } }), machine);
  }

  function entriesOf(text: string, sources: Partial<SettingsSources> = {}): readonly EntrySettings[] {
    const loaded = load(text, sources);
    if (loaded === undefined) return expect.fail('these are of one application');
    return 'settings' in loaded ? loaded.settings.entries : expect.fail(loaded.problems.map(formatProblem).join('\n'));
  }

  /** Without the path of the file. */
  function faults(text: string, sources: Partial<SettingsSources> = {}): string[] {
    const loaded = load(text, sources);
    const problems = loaded !== undefined && 'problems' in loaded ? loaded.problems : expect.fail('it was accepted');
    return problems.map((problem) => formatProblem(problem).replace(`${folder}/agent.yaml:`, ''));
  }

  it('are those of one application without a list of entries', () => {
    expect(load('service: web\n')).to.equal(undefined);
    expect(loadSharedSettings(settingsSources({ flags: { service: 'web' } }), machine)).to.equal(undefined);
  });

  it('of a file that cannot be read are told of as what is wrong with the file, and nothing else', () => {
    expect(faults('entries:\n  - service: web\n  service: b')).to.have.lengthOf(1);
    const config = join(folder, 'nothing.yaml');
    const loaded = loadSharedSettings(settingsSources({ flags: { config } }), machine);
    const [problem] = loaded !== undefined && 'problems' in loaded ? loaded.problems : [];
    expect(problem)
      .to.have.property('message')
      .that.matches(/^cannot be read: ENOENT/);
  });

  it('need only the service of each, which is listened for on free ports', () => {
    const [web, ...others] = entriesOf('entries: [ { service: web } ]');
    expect(others).to.deep.equal([]);
    expect(web).to.deep.include({
      service: 'web',
      namespace: 'default',
      id: 'box-web',
      outbound: at('127.0.0.1', 0),
      interception: undefined,
      dns: undefined,
      stateDir: '/home/ada/.local/state/sluice/default/box-web',
      uids: [],
      gids: [],
      limits: { maxConnections: 4096, maxRequests: 4096, maxPendingRequests: 1024 },
    });
  });

  it('have what stands above the entries, from wherever it comes, but for what entries say themselves', () => {
    const text = `
zone: z1
namespace: shop
state-dir: /var/lib/sluice
max-requests: 10
access-log: /var/log/all.jsonl
entries:
  - { service: web, zone: z2, max-requests: 20 }
  - { service: reviews, namespace: default, state-dir: /srv/reviews }
`;
    const sources = { flags: { server: '10.0.0.1:15010' }, environment: { SLUICE_MAX_REQUESTS: '' } };
    const [web, reviews] = entriesOf(text, sources);
    expect(web).to.deep.include({ namespace: 'shop', zone: 'z2', stateDir: '/var/lib/sluice/shop/box-web' });
    expect(reviews).to.deep.include({ namespace: 'default', zone: 'z1', stateDir: '/srv/reviews' });
    expect([web, reviews].map((entry) => entry?.limits.maxRequests)).to.deep.equal([20, 10]);
    expect([web, reviews].map((entry) => entry?.servers)).to.deep.equal(Array(2).fill([at('10.0.0.1', 15_010)]));
    expect([web, reviews].map((entry) => entry?.accessLog?.entry)).to.deep.equal(['box-web', 'box-reviews']);
  });

  it('say whose connections packet rules bring to each, and which entry has none brought', () => {
    const text = `
intercept: iptables
entries:
  - { service: web, uid: 2001, gid: [ 3001, 3002 ] }
  - { service: reviews, app: 127.0.0.1:9080 }
  - { service: ratings, app: 127.0.0.1:9081, intercept: none }
`;
    const [web, reviews, ratings] = entriesOf(text);
    const interception = { backend: 'iptables', vipRange: '240.240.0.0/16' };
    const dns = { listen: at('127.0.0.1', 0), domain: 'mesh.local', vipRange: '240.240.0.0/16' };
    expect(web).to.deep.include({ uids: [2001], gids: [3001, 3002], interception, dns });
    // What nobody sends asks no names either.
    expect(reviews).to.deep.include({ uids: [], interception, dns: undefined });
    expect(reviews?.appPorts.map(({ inbound }) => inbound)).to.deep.equal([at('0.0.0.0', 0)]);
    expect(ratings).to.deep.include({ interception: undefined });
    expect(ratings?.appPorts.map(({ inbound }) => inbound)).to.deep.equal([at('127.0.0.1', 0)]);
  });

  it('are refused with all that is wrong, each where it stands', () => {
    const text = `
service: web
workers: 2
admin: nowhere
state-dir: 7
entries:
  - version: v1
  - { service: Web, wrong: 1 }
  - 7
  - { service: web, admin: 127.0.0.1:1, run-as: "7", intercept: nftables, max-connections: 0 }
`;
    const known =
      'accept-mesh, access-log, access-log-sample, access-log-slow, advertise, app, app-advertise, dns, domain, forwarded-headers, ' +
      'gid, id, inbound, label, max-connections, max-pending-requests, max-requests, namespace, outbound, server, service, state-dir, ' +
      'uid, upstream, version, zone';
    expect(faults(text, { flags: { app: '127.0.0.1:80' }, environment: { SLUICE_ID: 'x' } })).to.deep.equal([
      'SLUICE_ID: is of one application: it goes into its entry',
      '--app: is of one application: it goes into its entry',
      '2:1: service: is of one application: it goes into its entry',
      '3:1: workers: goes with one application: the entries of a shared agent are carried by one process',
      '4:1: admin: must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080 or [::1]:8080',
      '5:1: state-dir: must be a directory',
      '7:5: entries[0].service: must be given',
      `8:21: entries[1].wrong: is no setting; there are ${known}`,
      '8:7: entries[1].service: must be a DNS label: lower-case letters, digits and "-", at most 63, first and last a letter or digit; found "Web"',
      '9:5: entries[2]: must be a map of settings: `service: NAME`, and so on',
      '10:21: entries[3].admin: goes for the whole agent: it stands above the entries',
      '10:54: entries[3].intercept: can only be none in an entry: what it is else stands above the entries',
      '10:41: entries[3].run-as: goes with one application, after --: those of entries are started by somebody else',
      '10:75: entries[3].max-connections: must be a whole number from 1 to 1000000',
    ]);
  });

  for (const { sentence, text, want } of [
    {
      sentence: 'no list',
      text: 'entries: web',
      want: ['1:1: entries: must be a list of applications: `- service: NAME`, and so on'],
    },
    {
      sentence: 'an empty list',
      text: 'entries: []',
      want: ['1:1: entries: must be a list of applications: `- service: NAME`, and so on'],
    },
    {
      sentence: 'rules that others put in place',
      text: 'intercept: external\nentries: [ { service: web } ]',
      want: [
        '1:1: intercept: must be none, iptables or nftables: the rules of several applications go with their entries',
      ],
    },
    {
      sentence: 'a user without packet rules',
      text: 'entries: [ { service: web, uid: 7 } ]',
      want: [
        '1:28: entries[0].uid: goes with intercept: nftables or iptables: without packet rules nobody looks at it',
      ],
    },
    {
      sentence: 'the user of the agent',
      text: 'intercept: nftables\nentries: [ { service: web, uid: [ 7, 0 ] } ]',
      want: ['2:28: entries[0].uid: 0 is the user of the agent itself, whose connections are let alone'],
    },
    {
      sentence: 'one id for two',
      text: 'entries:\n  - { service: web }\n  - { service: web, namespace: shop }',
      want: ['3:5: entries[1]: "box-web" is entries[0].id as well: each needs its own, also in another namespace'],
    },
    {
      sentence: 'one user, group or port of two applications',
      text: `intercept: nftables
entries:
  - { service: web, uid: [ 7, 8 ], gid: 9, app: 127.0.0.1:80 }
  - { service: shop, uid: 8, gid: 9, app: 10.0.0.1:80, advertise: 10.0.0.1 }`,
      want: [
        '4:22: entries[1].uid: 8 is entries[0].uid as well: what a user sends goes to one entry',
        '4:30: entries[1].gid: 9 is entries[0].gid as well: what a group sends goes to one entry',
        '4:38: entries[1].app: 80 is entries[0].app as well: packet rules know an application by its port',
      ],
    },
    {
      sentence: 'one port to listen on for two, on whatever address of it',
      text: `admin: 127.0.0.1:15000
entries:
  - { service: web, outbound: 127.0.0.1:15001, upstream: { reviews: 127.0.0.1:15001 } }
  - { service: shop, app: 127.0.0.1:80, inbound: 0.0.0.0:15000, dns: 127.0.0.2:15001 }
  - { service: late, outbound: 127.0.0.1:15001 }`,
      want: [
        '3:48: entries[0].upstream: 127.0.0.1:15001 is outbound as well: one can listen there',
        '4:41: entries[1].inbound: 0.0.0.0:15000 is admin as well: one can listen there',
        '5:22: entries[2].outbound: 127.0.0.1:15001 is entries[0].outbound as well: one can listen there',
      ],
    },
    {
      sentence: 'one state directory for two',
      text: 'entries:\n  - { service: web, state-dir: /s }\n  - { service: shop, state-dir: /s }',
      want: ['3:22: entries[1].state-dir: "/s" is entries[0].state-dir as well: each needs its own'],
    },
  ]) {
    it(`are refused for ${sentence}`, () => expect(faults(text)).to.deep.equal(want));
  }

  it('may have one port of two applications without packet rules', () => {
    expect(
      entriesOf('entries: [ { service: web, app: 127.0.0.1:80 }, { service: shop, app: 127.0.0.1:80 } ]'),
    ).to.have.length(2);
  });
});
