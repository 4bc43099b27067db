import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { EntrySettings } from '../../../../agent/agent-settings.ts';
import { changesBetween } from '../../../../agent/shared/entry-changes.ts';
import { loadSharedSettings } from '../../../../agent/shared/shared-config.ts';
import { settingsSources } from '../../../support/settings-sources.ts';

describe('the changes between two readings of entries', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-entries-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function read(...entries: readonly string[]): readonly EntrySettings[] {
    const config = join(folder, 'agent.yaml');
    writeFileSync(config, `entries: [ ${entries.join(', ')} ]`);
    const loaded = loadSharedSettings(settingsSources({ flags: { config } }));
    return loaded !== undefined && 'settings' in loaded ? loaded.settings.entries : expect.fail(JSON.stringify(loaded));
  }

  const [a, b] = ['{ service: web, id: a, label: { x: "1" } }', '{ service: web, id: b }'];

  for (const { name, from, to, want } of [
    { name: 'are none when the order alone is another', from: [a, b], to: [b, a], want: [[], [], []] },
    { name: 'are entries that come', from: [a], to: [a, b], want: [['b'], [], []] },
    { name: 'are entries that go', from: [a, b], to: [b], want: [[], [], ['a']] },
    {
      name: 'are settings that differ, of whatever depth',
      from: [a, b],
      to: ['{ service: web, id: a, label: { x: "2" } }', b],
      want: [[], ['a'], []],
    },
    {
      name: 'are an entry that goes and one that comes when its id is another',
      from: [a],
      to: [b],
      want: [['b'], [], ['a']],
    },
  ]) {
    it(name, () => {
      // As settings that are running came: from one program to the next.
      const running: EntrySettings[] = JSON.parse(JSON.stringify(read(...from)));
      const { added, changed, removed } = changesBetween(running, read(...to));
      expect([added.map(({ id }) => id), changed.map(({ id }) => id), removed]).to.deep.equal(want);
    });
  }
});
