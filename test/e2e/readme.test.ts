import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Fence, fencesOf, sectionOf } from '../support/fences.ts';
import { findFreePorts, programs, top, useProcesses } from '../support/processes.ts';
import type { TestProcess } from '../support/test-process.ts';

const page = readFileSync(join(top, 'README.md'), 'utf8');
const fences = fencesOf(sectionOf(page, '## A canary in five minutes'));

/** Each block of commands with the output that the page shows for it, if it does. */
const steps = fences.flatMap((fence, index) => {
  const [next] = fences.slice(index + 1);
  return fence.info.startsWith('sh') ? [{ ...fence, shown: next?.info === 'text' ? next.text : undefined }] : [];
});

const curlStandIn = join(import.meta.dirname, '../support/curl.mjs');

/** Numbers in the text, which belong to whoever reads it; defaults of the settings go by the environment. */
const portsInText = ['15001', '9081', '9082'];

/** A step that only looks may be taken again until what was started has come up. */
const lookAgainMs = 200;
const patienceMs = 30_000;

describe('the five minutes of the README', () => {
  const processes = useProcesses();
  let shell: TestProcess;
  /** Ends what it started, with job control: each job is a group of its own. */
  afterEach(() => {
    if (shell.isRunning) shell.write('exit\n');
    return shell.ended;
  });

  it('work as they are written, with free ports in place of its own', async () => {
    const { start, adapt } = await prepare();
    shell = start('step by step');
    for (const step of steps) await take(shell, { ...step, text: adapt(step.text) });
  }).timeout(120_000);

  it('work pasted as one block, and once more after starting over', async () => {
    const { start, adapt } = await prepare();
    const block = adapt(steps.map(({ text }) => text).join(''));
    // The block ends with starting over, so that it may be taken again: by a new shell, whose jobs count from 1.
    for (const how of ['in one block', 'in one block again']) {
      shell = start(how);
      shell.write(`${block}exit\n`);
      await shell.ended;
      const { stdout, stderr } = shell;
      expect(
        stdout.match(/^(?:revision \d|applied on .+(?= in \d+ ms)| +\d+ "version":"v\d")/gm),
        stderr,
      ).to.deep.equal([
        ...['revision 1', 'applied on 1 agent', '     90 "version":"v1"', '     10 "version":"v2"'],
        ...['revision 2', 'applied on 1 agent', 'revision 3', 'applied on 1 agent'],
      ]);
    }
  }).timeout(120_000);

  /** A folder like the checkout, and what stands in the text with ports that are free. */
  async function prepare() {
    const [outbound, first, second, http, grpc, admin] = await findFreePorts(6);
    const substitutes = [outbound, first, second].map(String);
    const folder = processes.makeFolder('checkout');
    symlinkSync(join(top, 'dist'), join(folder, 'dist'));
    const bin = processes.makeFolder('bin');
    const isCurlThere = spawnSync('curl', ['--version']).status === 0;
    // Two seconds a call, which say nothing about the page: another test runs the real one.
    writeScript(join(bin, 'npx'), `shift; exec '${process.execPath}' '${programs.sluice}' "$@"`);
    if (!isCurlThere) writeScript(join(bin, 'curl'), `exec '${process.execPath}' '${curlStandIn}' "$@"`);
    const start = (how: string) => {
      const started = processes.start(['bash', '--norc'], {
        name: `the shell of the README, ${how}`,
        cwd: folder,
        environment: {
          PATH: `${bin}:${process.env.PATH}`,
          SLUICE_HTTP: `127.0.0.1:${http}`,
          SLUICE_GRPC: `127.0.0.1:${grpc}`,
          SLUICE_API: `http://127.0.0.1:${http}`,
          SLUICE_SERVER: `127.0.0.1:${grpc}`,
          SLUICE_OUTBOUND: `127.0.0.1:${outbound}`,
          SLUICE_ADMIN: `127.0.0.1:${admin}`,
        },
      });
      started.write("set -m; trap 'for job in $(jobs -p); do kill -9 -- -$job; done' EXIT\n");
      // Between two looks at what comes up: a second is for people, and says nothing about the page.
      started.write('sleep() { command sleep 0.1; }\n');
      return started;
    };
    const adapt = (text: string) =>
      portsInText.reduce((adapted, port, index) => adapted.replaceAll(port, substitutes[index] ?? port), text);
    return { start, adapt };
  }

  it('are about the command that npx finds in a checkout', async () => {
    shell = processes.start(['npx', '--no', 'sluice', 'version'], { cwd: top, input: '' });
    await shell.ended;
    expect(shell.stdout).to.match(/^sluice \d+\.\d+\.\d+ /);
  }).timeout(60_000);
});

async function take(shell: TestProcess, step: Fence & { shown: string | undefined }) {
  const commands = step.text;
  const endMs = Date.now() + patienceMs;
  for (;;) {
    const output = await run(shell, commands);
    if (step.shown === undefined) return;
    const isOver = step.info !== 'sh look' || Date.now() > endMs;
    if (isOver) expect(shape(output), `${commands}\n${shell.stderr}`).to.equal(shape(step.shown));
    if (isOver || shape(output) === shape(step.shown)) return;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}

let count = 0;

async function run(shell: TestProcess, commands: string): Promise<string> {
  const mark = `[[step ${++count}]]`;
  const before = shell.stdout.length;
  shell.write(`${commands}\necho '${mark}'\n`);
  await shell.until(`end: ${commands}`, () => shell.stdout.includes(mark) || undefined);
  return shell.stdout.slice(before, shell.stdout.indexOf(mark));
}

/** What differs from run to run, and the widths of columns, which follow from it. */
function shape(output: string): string {
  return output
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\d+ ms\b/g, 'N ms')
    .replace(/cli:[\w.-]+/g, 'cli:NAME')
    .replace(/127\.0\.0\.1([: ]+)\d+/g, '127.0.0.1$1PORT')
    .replace(/"version":"v\d","instance":"[^"]+"/g, '"version":"vN","instance":"HOST"')
    .replace(/ +/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .trim();
}

function writeScript(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}
