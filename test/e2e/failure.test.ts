/** Real processes that die: what others say of it, and what is there when they come back. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  type AgentProcess,
  type Processes,
  runSluice,
  type ServerProcess,
  startAgent,
  startServer,
  useProcesses,
} from '../support/processes.ts';
import { startReviewsMesh } from '../support/reviews-mesh.ts';
import { Traffic } from '../support/traffic.ts';

const route = (v1: number, v2: number) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [ { backends: [ { subset: v1, weight: ${v1} }, { subset: v2, weight: ${v2} } ] } ] }
`;

async function json<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 20));
}

interface Agents {
  readonly items: readonly { readonly id: string; readonly state: string; readonly revision: { applied: number } }[];
}

describe('a mesh of real processes', () => {
  const processes: Processes = useProcesses();
  let server: ServerProcess;
  let web: AgentProcess;
  let traffic: Traffic;

  beforeEach(async () => {
    ({ server, web } = await startReviewsMesh(processes));
    traffic = new Traffic(web.outbound);
    await traffic.get();
  });

  afterEach(() => traffic.stop());

  const apply = (text: string) =>
    runSluice(processes, ['apply', '-f', '-', '--wait=10s', '--api', server.api], { input: text });

  const restart = async () => {
    const args = ['--http', server.http, '--grpc', server.grpc];
    server = await startServer(processes, { dataDir: server.dataDir, args });
  };

  const dump = () => json<Record<string, unknown>>(`http://${web.admin}/config_dump`);

  const swaps = async () => (await json<{ swaps: number }>(`http://${web.admin}/stats`)).swaps;

  it('takes a rule from a file, from standard input and by REST', async () => {
    const file = join(processes.folder, 'rule.yaml');
    await writeFile(file, route(1, 0));
    expect(await runSluice(processes, ['apply', '-f', file, '--wait', '--api', server.api])).to.include({ code: 0 });
    expect(await traffic.get()).to.equal('v1');
    expect(await apply(route(0, 1))).to.include({ code: 0 });
    expect(await traffic.get()).to.equal('v2');
    const response = await fetch(`${server.api}/api/v1/apply?wait=10s`, {
      method: 'POST',
      headers: { 'content-type': 'application/yaml' },
      body: route(1, 0),
    });
    expect(response.status).to.equal(200);
    expect(await traffic.get()).to.equal('v1');
  });

  it('fails no request when the server is killed with -9 and starts again: same versions, no instance lost', async () => {
    await apply(route(1, 1));
    const before = await dump();
    const swapsBefore = await swaps();
    traffic.start();
    server.process.kill();
    await server.process.ended;
    await until(async () => traffic.versions.length > 50);
    await restart();
    await until(async () => {
      const { items } = await json<Agents>(`${server.api}/api/v1/agents`);
      return items.length === 3 && items.every(({ state }) => state === 'current');
    });
    const count = traffic.versions.length;
    await until(async () => traffic.versions.length > count + 50);
    await traffic.stop();
    expect(traffic.failures).to.deep.equal([]);
    expect(await dump()).to.deep.equal(before);
    // One mark, by which the server that is back confirms what is there: no batch came before or after it.
    expect(await swaps()).to.equal(swapsBefore + 1);
    const { items } = await json<{ items: { state: string }[] }>(`${server.api}/api/v1/services/reviews/instances`);
    expect(items.map(({ state }) => state)).to.deep.equal(['passing', 'passing']);
    expect(await apply(route(0, 1))).to.include({ code: 0 });
  });

  it('serves from last good when the agent is killed and started again while the server is down', async () => {
    await apply(route(0, 1));
    // It is written soon after the swap, never before the ACK: nothing waits for the disk.
    const file = join(processes.folder, '.local/state/sluice/default/web-1/last-good');
    await until(async () => (await readFile(file, 'latin1')).includes('"revision":1,'));
    server.process.kill();
    web.process.kill();
    await Promise.all([server.process.ended, web.process.ended]);
    web = await startAgent(processes, { server, args: ['--service', 'web', '--id', 'web-1'] });
    expect(await json(`http://${web.admin}/ready`)).to.include({ stale: true, revision: 1 });
    traffic = new Traffic(web.outbound);
    expect(await traffic.get()).to.equal('v2');
  });

  it('names the agent that is gone in exit code 3 of apply --wait', async () => {
    web.process.kill();
    await web.process.ended;
    const { code, stdout, stderr } = await runSluice(
      processes,
      ['apply', '-f', '-', '--wait=1s', '--api', server.api],
      { input: route(1, 1) },
    );
    expect(code).to.equal(3);
    expect(stdout + stderr).to.contain('web-1');
  });
});
