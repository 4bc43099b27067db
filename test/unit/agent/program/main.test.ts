import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { loadAgentSettings } from '../../../../agent/config.ts';
import { handOver, takeHandedOver } from '../../../../agent/program/handed-over.ts';
import { readImports } from '../../../../scripts/layers/imports.ts';

/** Every module and package that is loaded with this one, but for what is asked for only later (`await import`). */
function loadedWith(program: string): Set<string> {
  const loaded = new Set([program]);
  for (const file of loaded) {
    if (!existsSync(file) || !file.endsWith('.ts')) continue;
    const source = readFileSync(file, 'utf8').replaceAll('await import(', 'later(');
    for (const { specifier, isTypeOnly } of readImports(source).imports) {
      if (!isTypeOnly) loaded.add(specifier.startsWith('.') ? join(dirname(file), specifier) : specifier);
    }
  }
  return loaded;
}

describe('the program that an agent becomes', () => {
  it('carries nothing that reads command lines, files of settings or documents', () => {
    const loaded = loadedWith('agent/program/program.ts');
    expect([...loaded]).to.include.members(['agent/start.ts', '@grpc/grpc-js']);
    expect(['zod', 'commander', 'yaml'].filter((name) => loaded.has(name))).to.deep.equal([]);
  });

  it('is handed what was read, which the application does not see', () => {
    const loaded = loadAgentSettings({ flags: { service: 'web', upstream: ['reviews=127.0.0.1:0'] }, environment: {} });
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
