import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { canary, service } from '../dashboard-api/api-under-test.ts';
import { CliUnderTest } from './cli-under-test.ts';

describe('sluice', () => {
  let cli: CliUnderTest;
  let folder: string;
  beforeEach(async () => {
    cli = new CliUnderTest();
    await cli.start();
    folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  });
  afterEach(async () => {
    await cli.stop();
    rmSync(folder, { recursive: true });
  });

  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const apply = (text: string) => cli.sluice(['apply', '-f', '-'], { stdin: text });

  describe('apply', () => {
    it('says which revision it is and what changed', async () => {
      const ran = await cli.sluice(['apply', '-f', file('a.yaml', canary(10)), '-m', 'because']);
      expect(ran).to.deep.equal({
        code: 0,
        out: 'revision 1\n  created  Route default/canary\nno agent holds what it changes\n',
        err: '',
      });
      expect((await cli.sluice(['history'])).out).to.match(/1 +2026\S+ +cli:\S+ +\+Route\/canary +because/);
    });

    it('reads directories in order, all that is in them, and nothing that is hidden or no rule file', async () => {
      file('rules/b.yml', service('b'));
      file(
        'rules/sub/a.json',
        JSON.stringify({ apiVersion: 'sluice.dev/v1', kind: 'Service', metadata: { name: 'a' }, spec: {} }),
      );
      file('rules/.hidden.yaml', 'nonsense');
      file('rules/README.md', 'nonsense');
      const ran = await cli.sluice(['apply', '-f', join(folder, 'rules')]);
      expect([ran.code, ran.out.match(/Service \S+/g)]).to.deep.equal([0, ['Service default/a', 'Service default/b']]);
    });

    it('names all faults with the reader’s file names, changes nothing, exits 1', async () => {
      const one = file('one.yaml', canary(10).replace('weight: 90', 'weight: x'));
      const two = file('two.yaml', canary(10, { name: 'UPPER' }));
      const ran = await cli.sluice(['apply', '-f', one, '-f', two]);
      expect(ran.code).to.equal(1);
      expect(ran.err).to.contain(`${one}:7:`).and.to.contain(`${two}:3:`).and.to.contain('nothing changed');
      expect(cli.fake.revision).to.equal(0);
    });

    it('names every file that is not there, exits 2', async () => {
      const ran = await cli.sluice(['apply', '-f', join(folder, 'x.yaml'), '-f', folder]);
      expect([ran.code, ran.err]).to.deep.equal([
        2,
        `error: -f ${folder}/x.yaml: no such file or directory\n-f ${folder}: has no rule files; they end in .yaml, .yml, .json\n`,
      ]);
    });

    it('changes nothing in a dry run', async () => {
      const ran = await cli.sluice(['apply', '--dry-run', '-f', '-'], { stdin: canary(10) });
      expect(ran.out).to.equal('dry run: 1 change to revision 0\n  created  Route default/canary\n');
      expect(cli.fake.revision).to.equal(0);
    });

    it('refuses when the revision is another than --if-match', async () => {
      await apply(canary(10));
      const ran = await cli.sluice(['apply', '--if-match', '7', '-f', '-'], { stdin: canary(20) });
      expect([ran.code, ran.err]).to.deep.equal([1, 'error: the rules changed meanwhile; the revision is 1\n']);
    });

    it('prunes', async () => {
      await apply(canary(10, { labels: '{ team: books }' }));
      const ran = await cli.sluice(['apply', '--prune', 'team=books', '-f', '-'], { stdin: service('a') });
      expect(ran.out).to.contain('deleted  Route default/canary');
    });

    it('waits, and says on how many agents it is applied', async () => {
      cli.fake.setAgent({ id: 'web-1' });
      const ran = await cli.sluice(['apply', '--wait', '-f', '-'], { stdin: canary(10) });
      expect(ran.code).to.equal(0);
      expect(ran.out).to.match(/applied on 1 agent in \d+ ms\n$/);
    });

    it('names who is late and why, exits 3', async () => {
      cli.fake.setAgent({ id: 'web-1' });
      cli.fake.setAgent({ id: 'web-2', state: 'disconnected' });
      const ran = await cli.sluice(['apply', '--wait=20ms', '-f', '-'], { stdin: canary(10) });
      expect(ran.code).to.equal(3);
      expect(ran.out).to.match(/applied on 1 of 2 agents after \d+ ms\n {2}pending {2}web-2: not connected\n$/);
    });

    it('names who refuses and why, exits 3', async () => {
      cli.fake.setAgent({ id: 'web-1', state: 'rejected', detail: 'unknown subset' });
      const ran = await cli.sluice(['apply', '--wait', '1h', '-f', '-'], { stdin: canary(10) });
      expect([ran.code, ran.out.split('\n').at(-2)]).to.deep.equal([3, '  rejected  web-1: unknown subset']);
    });

    it('exits 0 without --wait, and says how far it has come', async () => {
      cli.fake.setAgent({ id: 'web-1', state: 'pending' });
      const ran = await apply(canary(10));
      expect([ran.code, ran.out.split('\n').at(-2)]).to.deep.equal([
        0,
        'applied on 0 of 1 agent so far; `sluice status` shows the rest',
      ]);
    });

    it('shows progress on a terminal and wipes it away', async () => {
      cli.fake.setAgent({ id: 'web-1', state: 'pending' });
      const running = cli.sluice(['apply', '--wait', '-f', '-'], { stdin: canary(10), isTerminal: true });
      await until(() => cli.fake.waits === 1 && cli.fake.listeners === 1);
      cli.fake.emit({
        is: 'rollout',
        rollout: {
          revision: 1,
          phase: 'applying',
          retired: 0,
          agents: 1,
          applied: 0,
          pending: [],
          rejected: [],
          gone: [],
        },
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      cli.fake.setAgent({ id: 'web-1', state: 'current' });
      const ran = await running;
      expect(ran.err).to.equal('\r\u001b[Krevision 1: applied on 0 of 1 agent …\r\u001b[K');
    });

    it('prints the REST answer with -o json, also of a refusal', async () => {
      const ran = await cli.sluice(['apply', '-o', 'json', '-f', '-'], { stdin: canary(10) });
      expect(JSON.parse(ran.out)).to.deep.include({ revision: 1, warnings: [] });
      const refused = await cli.sluice(['apply', '-o', 'json', '-f', '-'], { stdin: 'kind: X' });
      expect([refused.code, JSON.parse(refused.out).code]).to.deep.equal([1, 'INVALID_DOCUMENTS']);
    });

    it('says what to do when no server answers', async () => {
      const ran = await cli.sluice(['apply', '-f', '-'], {
        stdin: 'x',
        environment: { SLUICE_API: 'http://127.0.0.1:2' },
      });
      expect(ran.code).to.equal(1);
      expect(ran.err)
        .to.contain('cannot reach the server at http://127.0.0.1:2: ECONNREFUSED')
        .and.to.contain('sluice server');
    });

    it('goes on waiting by itself when one request has waited long enough', async () => {
      cli.fake.setAgent({ id: 'web-1', state: 'pending' });
      const running = cli.sluice(['apply', '--wait=1h', '-f', '-'], { stdin: canary(10), sliceOf: '5ms' });
      await until(() => cli.answered.some(({ path }) => path.endsWith('/rollout')));
      cli.fake.setAgent({ id: 'web-1', state: 'current' });
      expect((await running).code).to.equal(0);
    });

    it('says that it is accepted and by whom not yet when the server goes while it waits', async () => {
      cli.fake.setAgent({ id: 'web-1', state: 'pending' });
      const running = cli.sluice(['apply', '--wait=1h', '-f', '-'], { stdin: canary(10) });
      await until(() => cli.fake.waits === 1);
      await cli.stop();
      const { code, out } = await running;
      expect([code, out.split('\n').at(-2)]).to.deep.equal([3, '  pending  web-1: not applied yet']);
    });

    it('says that it does not know when the connection breaks before the answer', async () => {
      const server = createServer((socket) => socket.on('data', () => socket.destroy())).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const ran = await cli.sluice(['apply', '-f', '-', '--api', `http://127.0.0.1:${port}`], { stdin: canary(10) });
      server.close();
      expect([ran.code, ran.err]).to.deep.equal([
        1,
        `error: the connection to http://127.0.0.1:${port} was lost before the answer; \`sluice history\` shows whether the change was accepted\n`,
      ]);
    });

    it('prefers --api after the command to one before it, and that to the environment', async () => {
      const dead = 'http://127.0.0.1:2';
      const environment = { SLUICE_API: dead };
      expect((await cli.sluice(['get', 'routes', '--api', cli.url], { environment })).code).to.equal(0);
      expect((await cli.sluice(['--api', cli.url, 'get', 'routes'], { environment })).code).to.equal(0);
      expect((await cli.sluice(['--api', dead, 'get', 'routes', '--api', cli.url], { environment })).code).to.equal(0);
    });

    it('tells a server that is none of ours apart', async () => {
      const ran = await cli.sluice(['get', 'routes', '--api', `${cli.url}/healthz?x=`]);
      expect(ran.code).to.equal(1);
    });
  });

  describe('get', () => {
    beforeEach(() => apply(`${canary(10)}---\n${service('reviews')}`));

    for (const { args, want } of [
      {
        args: ['get', 'routes'],
        want: /NAME +NAMESPACE +SERVICE +RULES +REVISION\ncanary +default +reviews +v1 90, v2 10 +1\n/,
      },
      { args: ['get', 'route', 'canary'], want: /canary +default +reviews +v1 90, v2 10 +1\n/ },
      { args: ['get', 'svc'], want: /reviews +default +http:80 +240.240.0.1 +- +1\n/ },
      { args: ['get', 'Service', 'reviews'], want: /reviews +default +reviews +http:80 http +1\n/ },
      { args: ['get', 'tp'], want: /NAME +NAMESPACE/ },
      { args: ['get', 'rev'], want: /1 .*\+Route\/canary \+Service\/reviews/ },
      { args: ['get', 'revision', '1'], want: /1 .*\+Route\/canary \+Service\/reviews/ },
      { args: ['get', 'agents', '-n', 'default'], want: /ID +NAMESPACE/ },
      { args: ['get', 'instances', 'reviews'], want: /ID +ADDRESS +PORT/ },
      { args: ['instances', 'reviews'], want: /ID +ADDRESS +PORT/ },
      { args: ['history', '--limit', '1'], want: /REVISION +AT +BY/ },
    ]) {
      it(`answers ${args.join(' ')}`, async () => {
        const ran = await cli.sluice(args);
        expect(ran.out).to.match(want);
        expect([ran.code, ran.err]).to.deep.equal([0, '']);
      });
    }

    it('gives a document that can be applied again as it is', async () => {
      const { out } = await cli.sluice(['get', 'route', 'canary', '-o', 'yaml']);
      expect(parse(out)).to.deep.include({ kind: 'Route' });
      expect((await apply(out)).out).to.contain('nothing changed (last changed by revision 1)');
    });

    it('says whose instances it would show, when it was given something else', async () => {
      const ran = await cli.sluice(['get', 'instance', 'reviews-1']);
      expect([ran.code, ran.err]).to.deep.equal([
        1,
        'error: no service named "reviews-1.default"; `get instances` takes the name of their service: sluice get instances SERVICE\n',
      ]);
    });

    it('says when there is no such thing', async () => {
      const ran = await cli.sluice(['get', 'route', 'nobody', '-n', 'prod']);
      expect([ran.code, ran.err]).to.deep.equal([1, 'error: no Route document named "nobody" in namespace "prod"\n']);
    });
  });

  it('lists agents with what each refuses, and lets no control sequence through', async () => {
    const nack = { revision: 3, at: '', message: 'evil \u001b[2J thing', resources: [] };
    cli.fake.setAgent({ id: 'web-1', state: 'rejected', revision: { sent: 3, applied: 2 }, nack });
    const { out } = await cli.sluice(['agents']);
    expect(out).to.match(/web-1 +default +web +rejected +3 +2 +0\.1\.0 +refuses revision 3: evil +\[2J thing\n/);
    expect((await cli.sluice(['agents', 'db'])).out.split('\n')).to.have.length(2);
  });

  it('colours on a terminal alone', async () => {
    cli.fake.setAgent({ id: 'web-1' });
    expect((await cli.sluice(['agents'], { isTerminal: true })).out).to.contain('\u001b[32mcurrent\u001b[0m');
  });

  it('deletes', async () => {
    await apply(canary(10));
    const ran = await cli.sluice(['delete', 'rt', 'canary', '--wait=1s', '-m', 'gone']);
    expect([ran.code, ran.out.split('\n')[1]]).to.deep.equal([0, '  deleted  Route default/canary']);
    expect((await cli.sluice(['delete', 'route', 'canary'])).code).to.equal(1);
    expect((await cli.sluice(['delete', 'agent', 'web-1'])).code).to.equal(2);
  });

  it('shows what is sent where, by locality as far as it is known', async () => {
    const numbers = { requestsPerSecond: 12.5, errorsPerSecond: 0.1, inProgress: 3 };
    const of = (cluster: string, service: string, zone: string) => {
      const [namespace, port] = service === '' ? ['', ''] : ['default', 'http'];
      const localities = [{ region: '', zone, subZone: '', ...numbers }];
      const load = { cluster, service, namespace, port, subset: '', clients: 2, ...numbers };
      return { ...load, droppedPerSecond: 4, localities };
    };
    cli.fake.loads = [of('reviews.default|http|', 'reviews', 'eu-1a'), of('their-own', '', '')];
    const rows = async (...args: string[]) => {
      const { out } = await cli.sluice(['get', 'load', ...args]);
      return out
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((row) => row.trim().split(/ +/).join(' '));
    };
    const reviews = 'reviews default http - 12.5 0.1 4 3 2 eu-1a:12.5';
    expect(await rows()).to.deep.equal([reviews, 'their-own - - - 12.5 0.1 4 3 2 -']);
    expect(await rows('reviews')).to.deep.equal([reviews]);
  });

  it('rolls back', async () => {
    await apply(canary(10));
    await apply(canary(20));
    const ran = await cli.sluice(['rollback', '1', '--wait', '-m', 'v2 leaks']);
    expect([ran.code, ran.out.split('\n')[0]]).to.deep.equal([0, 'revision 3']);
    const toNothing = await cli.sluice(['rollback', '0']);
    expect([toNothing.code, toNothing.out.split('\n')[1]]).to.deep.equal([0, '  deleted  Route default/canary']);
    expect((await cli.sluice(['rollback', '9'])).err).to.equal('error: there is no revision 9\n');
  });

  it('shows a diff line by line, exits 4 when there is one and 0 when not', async () => {
    await apply(canary(10));
    const path = file('next.yaml', canary(20));
    const ran = await cli.sluice(['diff', '-f', path]);
    expect(ran.code).to.equal(4);
    expect(ran.out).to.contain('updated Route default/canary');
    expect(ran.out.split('\n').filter((line) => /^[+-]/.test(line))).to.deep.equal([
      '-           weight: 90',
      '+           weight: 80',
      '-           weight: 10',
      '+           weight: 20',
    ]);
    await cli.sluice(['apply', '-f', path]);
    expect(await cli.sluice(['diff', '-f', path])).to.deep.equal({ code: 0, out: '', err: '' });
  });

  describe('status', () => {
    it('shows what connected clients cannot do of the rules', async () => {
      const message = 'sticky split is not possible for gRPC clients of reviews';
      const document = 'Route default/reviews';
      cli.fake.problems = [
        { namespace: 'default', service: 'reviews', clients: 'grpc', document, path: 'spec.rules[0].sticky', message },
      ];
      const { out } = await cli.sluice(['status']);
      expect(out).to.contain('NOT POSSIBLE').and.to.contain(message).and.to.contain(document);
    });

    it('tells server, revision, agents by revision and state, and problems', async () => {
      await apply(canary(10));
      cli.fake.setAgent({ id: 'web-1', revision: { sent: 1, applied: 1 } });
      cli.fake.setAgent({ id: 'web-2', revision: { sent: 1, applied: 1 } });
      cli.fake.setAgent({ id: 'web-3', state: 'disconnected', detail: 'for 3 s' });
      const { out } = await cli.sluice(['status']);
      expect(out).to.contain(`${cli.url}  ready  revision=1`);
      expect(out).to.match(/APPLIED +STATE +AGENTS\n1 +current +2\n0 +disconnected +1\n/);
      expect(out).to.match(/web-3 +default +disconnected +for 3 s/);
    });

    it('says that a server is not ready', async () => {
      cli.fake.ready = false;
      const ran = await cli.sluice(['status']);
      expect([ran.code, ran.out.split('\n')[0]]).to.deep.equal([0, `server    ${cli.url}  not ready  revision=0`]);
    });

    it('shows it again whenever something changes, until Ctrl-C', async () => {
      const interrupt = new AbortController();
      let seen = '';
      const watching = cli.sluice(['status', '--watch'], {
        signal: interrupt.signal,
        onOutput: (out) => {
          seen = out;
        },
      });
      await until(() => seen.includes('0 agents'));
      cli.fake.setAgent({ id: 'web-1' });
      await until(() => seen.includes('1 agent'));
      interrupt.abort();
      expect((await watching).code).to.equal(0);
    });

    it('looks a few times, not a thousand, when a thousand things change at once', async () => {
      const interrupt = new AbortController();
      let looks = 0;
      let seen = '';
      const watching = cli.sluice(['status', '--watch'], {
        signal: interrupt.signal,
        onOutput: (out) => {
          looks++;
          seen = out;
        },
      });
      await until(() => seen.includes('0 agents'));
      for (let n = 0; n < 1_000; n++) cli.fake.setAgent({ id: `web-${n}` });
      await until(() => seen.includes('1000 agents'));
      interrupt.abort();
      expect((await watching).code).to.equal(0);
      expect(looks).to.be.at.most(10);
    });

    it('says once that the connection is lost, and shows the state when the server is back', async () => {
      const interrupt = new AbortController();
      let seen = '';
      let refusals = 2;
      const watching = cli.sluice(['status', '--watch'], {
        signal: interrupt.signal,
        onOutput: (out) => {
          seen = out;
        },
        onFetch: (path) => {
          if (path.startsWith('/api/v1/agents') && refusals-- > 0) throw new TypeError('fetch failed');
        },
      });
      await until(() => seen.includes('0 agents'));
      interrupt.abort();
      const { code, err } = await watching;
      expect(code).to.equal(0);
      expect(err.match(/Trying again/g)).to.have.lengthOf(1);
    });
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
