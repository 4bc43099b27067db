import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import { formatProblem } from '../../../model/problem.ts';
import { listenAddress } from '../../../process/address-settings.ts';
import { formatHostPort } from '../../../process/host-port.ts';
import { listOf, namedValues, wholeNumber } from '../../../process/setting-kinds.ts';
import { describeSettings, loadSettings, type SettingsSources } from '../../../process/settings.ts';
import { settingsSources } from '../../support/settings-sources.ts';

const schema = z.object({
  service: z.string().meta({ description: 'the service', placeholder: 'NAME' }),
  dataDir: z.string().prefault('./data'),
  http: listenAddress.prefault('127.0.0.1:7070').meta({ description: 'REST', placeholder: 'HOST:PORT' }),
  workers: wholeNumber(1, 64).prefault('2'),
  zone: z.string().optional(),
  server: listOf(listenAddress).meta({ repeatable: true }),
  label: namedValues({ name: z.string().regex(/^[a-z]+$/, 'is no word'), value: z.string(), nameless: 'refused' }),
});

describe('settings', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function file(text: string, name = 'sluice.yaml'): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  function load(sources: Partial<SettingsSources>) {
    return loadSettings(schema, settingsSources(sources));
  }

  function settings(sources: Partial<SettingsSources>) {
    const loaded = load(sources);
    return 'settings' in loaded ? loaded.settings : expect.fail(loaded.problems.map(formatProblem).join('; '));
  }

  function faults(sources: Partial<SettingsSources>) {
    const loaded = load(sources);
    const problems = 'problems' in loaded ? loaded.problems : expect.fail('it was accepted');
    return problems.map((problem) => formatProblem(problem).replaceAll(`${folder}/`, ''));
  }

  it('takes the flag before the variable, the variable before the file, and the file before the default', () => {
    const config = file('service: from-file\ndata-dir: from-file\nzone: from-file\n');
    const got = settings({
      flags: { config, service: 'from-flag', dataDir: undefined },
      environment: { SLUICE_SERVICE: 'from-variable', SLUICE_DATA_DIR: 'from-variable' },
    });
    expect(got).to.deep.equal({
      service: 'from-flag',
      dataDir: 'from-variable',
      zone: 'from-file',
      http: { host: '127.0.0.1', port: 7070 },
      workers: 2,
      server: [],
      label: new Map(),
    });
  });

  it('reports everything that is wrong at once, each with its source', () => {
    const config = file('data-dir: [1]\nport: 9\nlabel: { version: v1, "B!": x }\n');
    expect(faults({ flags: { config, http: 'nowhere' }, environment: { SLUICE_WORKERS: '0' } })).to.deep.equal([
      'sluice.yaml:2:1: port: is no setting; there are data-dir, http, label, server, service, workers, zone',
      '--service: must be given (or as SLUICE_SERVICE)',
      'sluice.yaml:1:1: data-dir: must be text',
      '--http: must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080 or [::1]:8080',
      'SLUICE_WORKERS: must be a whole number from 1 to 64',
      'sluice.yaml:3:1: label: the name "B!" is no word',
    ]);
  });

  it('names the place of a rule between settings by the setting it is about', () => {
    const rule = schema.superRefine((_value, context) => {
      context.addIssue({ code: 'custom', path: ['zone'], message: 'does not go with workers' });
    });
    const loaded = loadSettings(rule, settingsSources({ flags: { service: 'a' }, environment: { SLUICE_ZONE: 'b' } }));
    expect(loaded).to.deep.equal({ problems: [{ path: 'SLUICE_ZONE', message: 'does not go with workers' }] });
  });

  for (const { name, flags, want } of [
    { name: 'a repeated flag', flags: { server: ['a:1', 'b:2'] }, want: ['a:1', 'b:2'] },
    { name: 'one flag with commas', flags: { server: 'a:1, b:2' }, want: ['a:1', 'b:2'] },
    { name: 'both', flags: { server: ['a:1,b:2', '[::1]:3'] }, want: ['a:1', 'b:2', '[::1]:3'] },
  ]) {
    it(`reads a list from ${name}`, () => {
      expect(settings({ flags: { service: 'a', ...flags } }).server.map(formatHostPort)).to.deep.equal(want);
    });
  }

  for (const { name, label } of [
    { name: 'a map', label: '{ version: v1, team: books }' },
    { name: 'a list', label: '[version=v1, team=books]' },
    { name: 'text', label: '"version=v1,team=books"' },
  ]) {
    it(`reads named values from ${name} in the file`, () => {
      const got = settings({ flags: { config: file(`service: a\nlabel: ${label}\n`) } }).label;
      expect([...got]).to.deep.equal([
        ['version', 'v1'],
        ['team', 'books'],
      ]);
    });
  }

  it('refuses a name that is given twice, and an entry without a name', () => {
    expect(faults({ flags: { service: 'a', label: ['a=1', 'a=2', 'x'] } })).to.deep.equal([
      '--label: "a" is given twice',
      '--label: "x" must be NAME=VALUE',
    ]);
  });

  for (const { name, text, want } of [
    { name: 'no map', text: '- a\n', want: 'sluice.yaml:1:1: must be a map of settings: `key: value` lines' },
    { name: 'no YAML', text: 'a: [1\nb: }', want: 'sluice.yaml:2:1' },
    { name: 'a key given twice', text: 'service: a\nservice: b\n', want: 'sluice.yaml:2:1: Map keys must be unique' },
  ]) {
    it(`says where a config file is wrong that has ${name}`, () => {
      expect(faults({ flags: { config: file(text), service: 'a' } }).join('\n')).to.contain(want);
    });
  }

  it('refuses aliases in the config file with a message', () => {
    const config = file('service: &a x\nzone: *a\n');
    expect(faults({ flags: { config } })).to.deep.equal([
      'sluice.yaml:2:7: aliases are not allowed in settings',
      '--service: must be given (or as SLUICE_SERVICE)',
    ]);
  });

  it('says that a config file cannot be read', () => {
    const [fault = ''] = faults({ flags: { config: join(folder, 'none.yaml'), service: 'a' } });
    expect(fault).to.match(/^none\.yaml: cannot be read: ENOENT/);
  });

  it('reads JSON, and the path of the file from SLUICE_CONFIG', () => {
    const path = file('{"service": "a", "workers": 3}', 'sluice.json');
    expect(settings({ environment: { SLUICE_CONFIG: path } })).to.deep.include({ service: 'a', workers: 3 });
  });

  it('treats empty variables and keys without value as not given', () => {
    const config = file('service: a\nzone:\n');
    expect(settings({ flags: { config }, environment: { SLUICE_DATA_DIR: '' } })).to.deep.include({
      dataDir: './data',
    });
  });

  it('describes each setting for help and documentation', () => {
    expect(describeSettings(schema).slice(1, 3)).to.deep.equal([
      {
        name: 'dataDir',
        flag: '--data-dir',
        variable: 'SLUICE_DATA_DIR',
        key: 'data-dir',
        description: '',
        placeholder: '',
        isRepeatable: false,
        defaultText: './data',
      },
      {
        name: 'http',
        flag: '--http',
        variable: 'SLUICE_HTTP',
        key: 'http',
        description: 'REST',
        placeholder: 'HOST:PORT',
        isRepeatable: false,
        defaultText: '127.0.0.1:7070',
      },
    ]);
  });
});
