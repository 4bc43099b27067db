import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { agentSettingsSchema } from '../../../agent/settings-schema.ts';
import { entrySchema, ofOneApplication, ofOneEntry, ofTheProcess } from '../../../agent/shared/entry-schema.ts';
import { loadSharedSettings } from '../../../agent/shared/shared-config.ts';
import { formatProblem } from '../../../model/problem.ts';
import { describeSettings, keyOf } from '../../../process/settings.ts';
import { fencesOf, sectionOf } from '../../support/fences.ts';
import { settingsSources } from '../../support/settings-sources.ts';

const page = readFileSync(new URL('../../../docs/shared-agent.md', import.meta.url), 'utf8');
const section = sectionOf(page, '## What stands where');

describe('docs/shared-agent.md', () => {
  it('has every setting that only entries have, with its default', () => {
    const ofAgents = new Set(Object.keys(agentSettingsSchema.shape));
    const wanted = describeSettings(entrySchema)
      .filter(({ name }) => !ofAgents.has(name))
      .map(({ key, defaultText }) => [key, defaultText ? `\`${defaultText}\`` : '']);
    const rows = [...section.matchAll(/^\| `([a-z-]+)` \| ([^|]*)\|/gm)].map(([, key, text = '']) => [
      key,
      text.trim(),
    ]);
    expect(rows).to.deep.equal(wanted);
  });

  for (const { heading, names } of [
    { heading: 'Above alone', names: ofTheProcess },
    { heading: 'In an entry alone', names: ofOneEntry },
    { heading: 'Nowhere', names: new Set(ofOneApplication.keys()) },
  ]) {
    it(`says what stands ${heading.toLowerCase()}`, () => {
      const [, text = ''] = new RegExp(`^- \\*\\*${heading}\\*\\*: (.*)`, 'm').exec(section) ?? [];
      const known = new Set(describeSettings(entrySchema).map(({ key }) => key));
      const named = [...text.matchAll(/`([a-z-]+)`/g)].flatMap(([, key = '']) => (known.has(key) ? [key] : []));
      expect(new Set(named)).to.deep.equal(new Set([...names].map(keyOf)));
    });
  }

  it('shows a file that is taken, and so does the guide', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'));
    const config = join(folder, 'agent.yaml');
    const guide = readFileSync(new URL('../../../docs/migration.md', import.meta.url), 'utf8');
    const files = [page, guide].flatMap((each) => fencesOf(each).filter(({ info }) => info === 'yaml agent'));
    expect(files).to.have.length(2);
    for (const { text } of files) {
      writeFileSync(config, text);
      const loaded = loadSharedSettings(settingsSources({ flags: { config } }));
      expect(loaded !== undefined && 'problems' in loaded ? loaded.problems.map(formatProblem) : []).to.deep.equal([]);
    }
    rmSync(folder, { recursive: true });
  });
});
