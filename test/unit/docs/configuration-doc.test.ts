import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadAgentSettings } from '../../../agent/config.ts';
import { agentSettingsSchema } from '../../../agent/settings-schema.ts';
import { formatProblem } from '../../../model/problem.ts';
import { describeSettings, type SettingsSchema, type SettingsSources } from '../../../process/settings.ts';
import { loadServerSettings, serverSettings } from '../../../server/config.ts';
import { fencesOf, sectionOf } from '../../support/fences.ts';
import { settingsSources } from '../../support/settings-sources.ts';

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

type Load = (sources: SettingsSources) => ReturnType<typeof loadServerSettings> | ReturnType<typeof loadAgentSettings>;

const programs: readonly { name: string; schema: SettingsSchema; load: Load }[] = [
  { name: 'Server', schema: serverSettings, load: loadServerSettings },
  { name: 'Agent', schema: agentSettingsSchema, load: (sources) => loadAgentSettings(sources) },
];

describe('docs/configuration.md', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const { name, schema, load } of programs) {
    const section = sectionOf(page, `## ${name}`);
    const rows = section
      .split('\n')
      .filter((line) => line.startsWith('| `--'))
      .map((line) => line.split('|').map((cell) => cell.trim()));

    it(`has every setting of the ${name.toLowerCase()} with its names and default, in the order of --help`, () => {
      const wanted = describeSettings(schema).map(({ flag, placeholder, variable, key, defaultText = '' }) => [
        `\`${`${flag} ${placeholder}`.trim()}\``,
        `\`${variable}\``,
        `\`${key}\``,
        defaultText && `\`${defaultText}\``,
      ]);
      expect(rows.map((cells) => cells.slice(1, 5))).to.deep.equal(wanted);
    });

    it(`says what each setting of the ${name.toLowerCase()} means`, () =>
      expect(rows.filter((cells) => !/^[A-Z`].*\.$/.test(cells[5] ?? ''))).to.deep.equal([]));

    it(`shows a file for the ${name.toLowerCase()} that it takes`, () => {
      const files = fencesOf(section).filter(({ info }) => info === `yaml ${name.toLowerCase()}`);
      expect(files).to.have.length.above(0);
      for (const { text, line } of files) {
        const config = join(folder, `${name}-${line}.yaml`);
        writeFileSync(config, text);
        const loaded = load(settingsSources({ flags: { config } }));
        expect('problems' in loaded ? loaded.problems.map(formatProblem) : []).to.deep.equal([]);
      }
    });
  }
});
