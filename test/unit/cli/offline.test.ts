import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { jsonSchema } from '../../../model/json-schema.ts';
import { canary } from '../dashboard-api/api-under-test.ts';
import { CliUnderTest } from './cli-under-test.ts';

const cli = new CliUnderTest();
const sluice = (...args: string[]) => cli.sluice(args, { environment: {} });
const examples = new URL('../../../examples/', import.meta.url).pathname;

describe('sluice without a server', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('validates the examples, each for itself', async () => {
    for (const name of ['01-90-10', '02-beta-users', '03-50-50', '04-v2']) {
      const ran = await sluice('validate', '-f', join(examples, 'canary', `${name}.yaml`));
      expect(ran, name).to.deep.equal({ code: 0, out: '1 document valid\n', err: '' });
    }
  });

  it('lists all faults as file:line:column: path: message', async () => {
    const path = join(folder, 'bad.yaml');
    writeFileSync(path, `${canary(10).replace('weight: 90', 'weight: -1')}---\nkind: Nothing\n`);
    const { code, err, out } = await sluice('validate', '-f', path);
    expect([code, out]).to.deep.equal([1, '']);
    expect(err.split('\n')[0]).to.match(
      new RegExp(`^${path}:7:\\d+: spec\\.rules\\[0\\]\\.backends\\[0\\]\\.weight: .+$`),
    );
    expect(err).to.contain(`${path}:9:`);
  });

  it('finds conflicts between files', async () => {
    for (const name of ['one', 'two']) writeFileSync(join(folder, `${name}.yml`), canary(10, { name }));
    const { code, err } = await sluice('validate', '-f', join(folder, 'one.yml'), '-f', join(folder, 'two.yml'));
    expect(code).to.equal(1);
    expect(err).to.contain('two.yml:').and.to.contain('one');
  });

  it('answers as JSON too', async () => {
    const ran = await cli.sluice(['validate', '-o', 'json', '-f', '-'], { stdin: canary(10) });
    expect(JSON.parse(ran.out)).to.deep.equal({ valid: true, documents: 1, errors: [] });
    const none = await cli.sluice(['validate', '-o', 'json', '-f', '-'], { stdin: '' });
    expect([none.code, JSON.parse(none.out).valid]).to.deep.equal([1, false]);
  });

  it('prints the JSON Schema of a kind, or of any document', async () => {
    expect(JSON.parse((await sluice('schema')).out)).to.deep.equal(jsonSchema('sluice'));
    expect(JSON.parse((await sluice('schema', 'tp')).out)).to.deep.equal(jsonSchema('trafficpolicy'));
    expect((await sluice('schema', 'agents')).code).to.equal(2);
  });

  for (const { name, forms } of [
    { name: 'envoy-bootstrap', forms: ['yaml', 'json'] },
    { name: 'grpc-bootstrap', forms: ['json'] },
  ]) {
    it(`prints what ${name} makes in the form that is asked for, before or after the command`, async () => {
      const command = [name, '--service', 'web', '--id', 'web-1'];
      const usual = await sluice(...command);
      for (const form of forms) {
        const before = await sluice('-o', form, ...command);
        expect(before).to.deep.include({ code: 0, err: '' });
        expect(parse(before.out)).to.deep.equal(parse(usual.out));
        expect(before.out.startsWith('{')).to.equal(form === 'json');
        expect(await sluice(...command, '-o', form)).to.deep.equal(before);
        expect(await sluice(...command, `--output=${form}`)).to.deep.equal(before);
      }
      const { code, err } = await sluice(...command, '-o', 'table');
      expect([code, err.split('\n')[0]]).to.deep.equal([
        2,
        `error: option '-o, --output <form>' argument 'table' is invalid. Allowed choices are ${forms.join(', ')}.`,
      ]);
    });
  }

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(examples, '../package.json'), 'utf8'));
    expect((await sluice('version')).out).to.match(new RegExp(`^sluice ${version} `));
    expect(await sluice('--version')).to.deep.include({ code: 0, out: `sluice ${version}\n` });
  });

  for (const { sentence, args, says } of [
    { sentence: 'no command', args: [], says: 'Usage: sluice' },
    { sentence: 'an unknown command', args: ['aply'], says: 'Did you mean apply?' },
    { sentence: 'an unknown flag', args: ['apply', '-f', 'x', '--wiat'], says: "unknown option '--wiat'" },
    { sentence: 'apply without files', args: ['apply'], says: "required option '-f, --file <path>' not specified" },
    { sentence: 'a wait without unit', args: ['apply', '-f', 'x', '--wait=30'], says: 'must be a duration' },
    { sentence: 'a wait of nothing', args: ['apply', '-f', 'x', '--wait=0s'], says: 'above 0' },
    { sentence: 'a wait longer than the server allows', args: ['apply', '-f', 'x', '--wait=2h'], says: 'at most 1h' },
    { sentence: 'a selector that is none', args: ['apply', '-f', 'x', '--prune', '!!'], says: 'must be LABEL=VALUE' },
    {
      sentence: 'a selector with a bad label',
      args: ['diff', '-f', 'x', '--prune', 'a b=c'],
      says: 'is no label key',
    },
    {
      sentence: 'a log level that is none',
      args: ['server', '--log-level', 'loud'],
      says: '--log-level: must be one of debug, info',
    },
    {
      sentence: 'an --if-match that is no number',
      args: ['apply', '-f', 'x', '--if-match', 'abc'],
      says: 'number of a revision',
    },
    {
      sentence: 'an output form that is none',
      args: ['get', 'routes', '-o', 'xml'],
      says: 'Allowed choices are table, json, yaml',
    },
    { sentence: 'an --api that is no URL', args: ['get', 'routes', '--api', 'localhost'], says: 'must be a URL' },
    { sentence: 'an unknown kind', args: ['get', 'pods'], says: 'there is no kind "pods"' },
    {
      sentence: 'an unknown kind to delete',
      args: ['delete', 'pods', 'x'],
      says: 'there is no kind "pods" of documents; there are services, routes, trafficpolicies\n',
    },
    {
      sentence: 'the schema of a kind without documents',
      args: ['schema', 'agents'],
      says: 'agents have no documents; there are services, routes, trafficpolicies\n',
    },
    { sentence: 'too many operands', args: ['get', 'a', 'b', 'c'], says: 'too many arguments' },
    { sentence: 'instances of nothing', args: ['get', 'instances'], says: 'of which service' },
    { sentence: 'a rollback to no number', args: ['rollback', 'x'], says: 'number of a revision' },
    { sentence: 'standard input twice', args: ['apply', '-f', '-', '-f', '-'], says: 'only once' },
    {
      sentence: 'bad settings of the server, all of them',
      args: ['server', '--http', 'x', '--grpc', '1:y'],
      says: '--grpc: must be HOST:PORT',
    },
    { sentence: 'an agent without service', args: ['agent'], says: '--service' },
    { sentence: 'an application without --', args: ['agent', '--service', 'a', 'node'], says: 'written after --' },
    { sentence: 'what does not exist yet', args: ['explain'], says: "unknown command 'explain'" },
  ]) {
    it(`exits 2 after ${sentence}`, async () => {
      const { code, err } = await sluice(...args);
      expect(err).to.contain(says);
      expect(code).to.equal(2);
    });
  }

  it('names all bad settings at once', async () => {
    const { err } = await sluice('server', '--http', 'x', '--grpc', '1:y', '--log-level', 'loud');
    for (const flag of ['--http', '--grpc', '--log-level']) expect(err).to.contain(flag);
  });

  describe('help', () => {
    const commands = [
      ...['server', 'agent', 'demo', 'apply', 'diff', 'validate', 'get', 'delete', 'status', 'agents', 'instances'],
      ...['history', 'rollback', 'envoy-bootstrap', 'grpc-bootstrap', 'intercept', 'schema', 'version'],
    ];

    it('lists every command and nothing that does not exist yet', async () => {
      const { code, out } = await sluice('--help');
      expect(code).to.equal(0);
      for (const name of commands) expect(out).to.match(new RegExp(`^ {2}${name} `, 'm'));
      for (const name of ['plan', 'test', 'explain']) expect(out).not.to.match(new RegExp(`^ {2}${name} `, 'm'));
    });

    const docs = () => readFileSync(join(examples, '../docs/cli.md'), 'utf8');
    for (const name of commands) {
      it(`of ${name} ends with an example, and docs/cli.md tells the command with all its flags`, async () => {
        const { code, out } = await sluice(name, '--help');
        expect(code).to.equal(0);
        expect(out).to.match(new RegExp(`Example:\n {2}\\$ sluice ${name}`));
        const section =
          docs()
            .split(/^## /m)
            .find((text) => text.startsWith(`sluice ${name}\n`)) ?? '';
        expect(section, `docs/cli.md has no section for ${name}`).to.not.equal('');
        const flags = [...out.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
        for (const flag of flags.filter((each) => !['--help', '--api', '--output'].includes(each))) {
          expect(section, `docs/cli.md: ${name} has ${flag}`).to.contain(`\`${flag}`);
        }
      });
    }
  });
});
