import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../support/ask.ts';
import { ComposeRun } from '../support/compose.ts';
import { top, useProcesses } from '../support/processes.ts';

const text = readFileSync(join(top, 'docker-compose.yml'), 'utf8');

describe('the services of docker-compose.yml, as processes', () => {
  const processes = useProcesses();

  it("become healthy, and the client's agent splits its requests as the canary says", async function () {
    this.timeout(90_000);
    const compose = await ComposeRun.prepare(text, processes);
    await compose.up();
    const canary = await compose.process('canary');
    expect(await canary.ended, canary.stderr).to.deep.equal({ code: 0, signal: null });

    const client = await compose.process('client');
    await client.until(
      'see both versions',
      () => /"v1":\d+,"v2":\d+|"v2":\d+,"v1":\d+/.exec(client.stdout) ?? undefined,
    );
    // What the client sends takes its turns of the same split.
    await client.kill();
    const counts = new Map<string, number>();
    for (let request = 0; request < 100; request++) {
      const answer = await ask({ at: compose.address('client', 15_001), host: 'reviews' });
      const { version } = JSON.parse(answer.body);
      counts.set(version, (counts.get(version) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).to.deep.equal({ v1: 90, v2: 10 });

    for (const name of ['client-agent', 'reviews-v1-agent', 'reviews-v2-agent', 'server']) {
      expect(await (await compose.process(name)).end(), name).to.deep.equal({ code: 0, signal: null });
    }
  });
});
