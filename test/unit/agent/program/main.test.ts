import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { loadAgentSettings } from '../../../../agent/config.ts';
import { handOver, takeHandedOver } from '../../../../agent/program/handed-over.ts';
import { loadedWith } from '../../../support/loaded-with.ts';
import { settingsSources } from '../../../support/settings-sources.ts';

describe('the program that an agent becomes', () => {
  it('carries nothing that reads command lines, files of settings or documents, or is for terminals', () => {
    const loaded = loadedWith('agent/program/program.ts');
    expect([...loaded]).to.include.members(['agent/start.ts', '@grpc/grpc-js']);
    expect(['zod', 'commander', 'yaml', 'pino-pretty'].filter((name) => loaded.has(name))).to.deep.equal([]);
  });

  it('is handed what was read, which the application does not see', () => {
    const loaded = loadAgentSettings(settingsSources({ flags: { service: 'web', upstream: ['reviews=127.0.0.1:0'] } }));
    if ('problems' in loaded) throw new Error('these are settings');
    const { settings } = loaded;
    const command = ['a', 'ü b'];
    const environment: NodeJS.ProcessEnv = { PATH: '/bin', ...handOver({ settings, command }) };
    const taken = takeHandedOver(environment);
    // What is undefined is left out on the way, which nobody can tell.
    expect(taken).to.deep.equal({ settings: JSON.parse(JSON.stringify(settings)), command });
    const [upstream] = taken !== undefined && 'settings' in taken ? taken.settings.upstreams : [];
    expect(upstream).to.deep.include({ host: 'reviews', listen: { host: '127.0.0.1', port: 0 } });
    expect(environment).to.deep.equal({ PATH: '/bin' });
    expect(takeHandedOver(environment)).to.equal(undefined);
  });

  it('says how it is started when somebody else starts it', () => {
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'agent/program/main.ts'], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).to.deep.equal({ status: 2, stderr: 'this program is started by `sluice agent`\n' });
  });
});
