import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { endpointPaths } from '../../../../agent/admin/admin-endpoints.ts';
import { reasons } from '../../../../agent/proxy/local-answer.ts';
import { agentSettingsSchema } from '../../../../agent/settings-schema.ts';
import { describeSettings } from '../../../../process/settings.ts';

const text = readFileSync(join(import.meta.dirname, '../../../../docs/agent.md'), 'utf8');
const rows = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, ...cells]) => cells);

describe('docs/agent.md', () => {
  it('has every flag with its value and default, and no other', () => {
    const documented = rows(/^\| `(--[^` ]+) ([^`]+)` \|([^|]*)\|/gm);
    const settings = describeSettings(agentSettingsSchema);
    expect(documented.map(([flag, placeholder]) => `${flag} ${placeholder}`).sort()).to.deep.equal(
      settings.map(({ flag, placeholder }) => `${flag} ${placeholder}`).sort(),
    );
    for (const { flag, defaultText } of settings) {
      const [, , cell = ''] = documented.find(([name]) => name === flag) ?? [];
      if (defaultText !== undefined && defaultText !== '') expect(cell.trim(), flag).to.equal(`\`${defaultText}\``);
    }
  });

  it('has every admin endpoint, and no other', () => {
    expect(
      rows(/^\| `((?:GET|POST) \/[^`]+)` \|/gm)
        .flat()
        .sort(),
    ).to.deep.equal([...endpointPaths].sort());
  });

  it('agrees with docs/cli.md on them', () => {
    const commands = readFileSync(join(import.meta.dirname, '../../../../docs/cli.md'), 'utf8');
    const [, paths = ''] = /^\| `--admin HOST:PORT` \| (`\/ready`.*) \|$/m.exec(commands) ?? [];
    expect(paths.split(', ').sort()).to.deep.equal(endpointPaths.map((path) => `\`${path.split(' ')[1]}\``).sort());
  });

  it('has every reason with its status, and no other', () => {
    const documented = rows(/^\| `([a-z-]+)` \| (\d{3}) \|/gm).map(([reason, status]) => [reason, Number(status)]);
    const known = Object.entries(reasons).map(([reason, { status }]) => [reason, status]);
    expect(documented.sort()).to.deep.equal(known.sort());
  });
});
