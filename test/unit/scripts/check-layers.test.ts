import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { findFaults, findUnusedExports } from '../../../scripts/layers/check.ts';
import { readSources } from '../../../scripts/layers/sources.ts';
import { homes, layers } from '../../../scripts/layers/table.ts';

type Files = Readonly<Record<string, string>>;

/** A small project whose arrows all point the right way. */
const sound: Files = {
  'model/names.ts': "import { z } from 'zod';\nexport const names = z.string();\n",
  'proto/load.ts': "import protobuf from 'protobufjs';\nexport const root = protobuf.Root;\n",
  'process/log.ts': "import { pino } from 'pino';\nimport '../model/names.ts';\nexport const log = pino();\n",
  'routing/match.ts': "import { names } from '../model/names.ts';\nexport const match = () => names;\n",
  'server/store/store.ts': "import '../../model/names.ts';\nexport interface Store {}\n",
  'server/registry/instance.ts': 'export interface InstanceRecord {}\n',
  'server/rules/rule-book.ts': "import type { Store } from '../store/store.ts';\nexport type Book = Store;\n",
  'server/compile/compile.ts': "import { match } from '../../routing/match.ts';\nexport const compile = match;\n",
  'server/snapshot/cache.ts': "import { compile } from '../compile/compile.ts';\nexport const cache = compile;\n",
  'server/xds/session.ts': "import { cache } from '../snapshot/cache.ts';\nexport const session = cache;\n",
  'server/main.ts':
    "import { api } from '../dashboard-api/api.ts';\nimport './xds/session.ts';\nexport const main = api;\n",
  'agent/view/view.ts': "import { isIP } from 'node:net';\nexport const view = isIP;\n",
  'agent/proxy/forward.ts': "import { view } from '../view/view.ts';\nexport const forward = view;\n",
  'agent/main.ts': "import './proxy/forward.ts';\nexport const now = () => Date.now();\n",
  'dashboard-api/ports.ts': "import type { names } from '../model/names.ts';\nexport type Port = typeof names;\n",
  'dashboard-api/api.ts': "import type { Port } from './ports.ts';\nexport const api: Port[] = [];\n",
  'test/support/writer.mjs': "import '../../dist/server/main.js';\n",
  'cli/main.ts': "import '../agent/main.ts';\nawait import('../server/main.ts');\n",
};

const rows: readonly { name: string; files: Files; want: string }[] = [
  {
    name: 'an agent that imports the server',
    files: { 'agent/proxy/forward.ts': "export const a = 1;\nimport { main } from '../../server/main.ts';\n" },
    want: 'agent/proxy/forward.ts:2: agent/proxy -> server/main.ts is no arrow: the proxy routes by the view',
  },
  {
    name: 'a server that imports the agent, be it a type alone',
    files: { 'server/config.ts': "import type { now } from '../agent/main.ts';\n" },
    want: 'server/config.ts:1: server -> agent/main.ts is no arrow: server/ imports neither agent/ nor cli/',
  },
  {
    name: 'words that import a part',
    files: { 'model/words.ts': "export { session } from '../server/xds/session.ts';\n" },
    want: 'model/words.ts:1: model -> server/xds/session.ts is no arrow: model/ holds the words',
  },
  {
    name: 'a wire contract that imports the words',
    files: { 'proto/names.ts': "import '../model/names.ts';\n" },
    want: 'proto/names.ts:1: proto -> model/names.ts is no arrow: proto/ is the wire contract',
  },
  {
    name: 'process/ that imports the wire contract',
    files: { 'process/wire.ts': "import { root } from '../proto/load.ts';\n" },
    want: 'process/wire.ts:1: process -> proto/load.ts is no arrow: process/ is what every process needs',
  },
  {
    name: 'routing that imports a log',
    files: { 'routing/explain.ts': "import { log } from '../process/log.ts';\n" },
    want: 'routing/explain.ts:1: routing -> process/log.ts is no arrow: routing/ turns resources into decisions',
  },
  {
    name: 'an arrow backwards inside the server',
    files: { 'server/store/memory.ts': "import type { Book } from '../rules/rule-book.ts';\n" },
    want: 'server/store/memory.ts:1: server/store -> server/rules/rule-book.ts is no arrow: the store keeps what it is given',
  },
  {
    name: 'streams that look past the snapshot',
    files: { 'server/xds/peek.ts': "const store =\n  await import('../store/store.ts');\n" },
    want: 'server/xds/peek.ts:2: server/xds -> server/store/store.ts is no arrow: xds streams send snapshots',
  },
  {
    name: 'an API that reaches for the server instead of naming a port',
    files: { 'dashboard-api/peek.ts': "import { cache } from '../server/snapshot/cache.ts';\n" },
    want: 'dashboard-api/peek.ts:1: dashboard-api -> server/snapshot/cache.ts is no arrow: dashboard-api/ names what else',
  },
  {
    name: 'a control plane that knows the API besides main.ts and ports/',
    files: { 'server/control-plane.ts': "import { api } from '../dashboard-api/api.ts';\n" },
    want: 'server/control-plane.ts:1: server -> dashboard-api/api.ts is no arrow: server/ imports neither',
  },
  {
    name: 'ports that know more of the API than what it asks for',
    files: { 'server/ports/rules-port.ts': "import { api } from '../../dashboard-api/api.ts';\n" },
    want: 'server/ports/rules-port.ts:1: server/ports -> dashboard-api/api.ts is no arrow: ports/ shows the control plane',
  },
  {
    name: 'a compiler that does I/O',
    files: { 'server/compile/read.ts': "import { readFileSync } from 'node:fs';\n" },
    want: 'server/compile/read.ts:1: server/compile -> node:fs is no arrow: compile() is a pure function',
  },
  {
    name: 'a compiler that asks the clock',
    files: { 'server/compile/now.ts': 'export const a = 1;\nexport const now = () => Date.now();\n' },
    want: 'server/compile/now.ts:2: Date.now: server/compile is pure: compile() is a pure function',
  },
  {
    name: 'routing that waits',
    files: { 'routing/later.ts': 'export const later = async () => 1;\n' },
    want: 'routing/later.ts:1: async: routing is pure: routing/ turns resources into decisions',
  },
  {
    name: 'pure code that opens a socket of a module that has pure names too',
    files: { 'agent/view/dial.ts': "import { connect, isIP } from 'node:net';\n" },
    want: 'agent/view/dial.ts:1: agent/view -> node:net is no arrow: a view is a value',
  },
  {
    name: 'chance below main.ts',
    files: { 'agent/proxy/chance.ts': 'export const toss = () => Math.random() < 0.5;\n' },
    want: 'agent/proxy/chance.ts:1: Math.random: time, chance and the process are arguments',
  },
  {
    name: 'a package away from its home',
    files: { 'server/rules/table.ts': "import { open } from 'lmdb';\n" },
    want: 'server/rules/table.ts:1: lmdb belongs to server/store: a store is known by its contract',
  },
  {
    name: 'HTTP past the seam',
    files: { 'agent/proxy/dial.ts': "import { request } from 'node:http';\n" },
    want: 'agent/proxy/dial.ts:1: node:http belongs to agent/http1, agent/admin',
  },
  {
    name: 'a cycle of files',
    files: {
      'server/xds/a.ts': "import { b } from './b.ts';\nexport const a = b;\n",
      'server/xds/b.ts': "export const b = 1;\nimport { c } from './c.ts';\n",
      'server/xds/c.ts': "import { a } from './a.ts';\nexport const c = a;\n",
    },
    want: 'server/xds/c.ts:1: closes the cycle server/xds/a.ts -> server/xds/b.ts -> server/xds/c.ts -> server/xds/a.ts',
  },
  {
    name: 'a cycle of types',
    files: {
      'model/a.ts': "import type { B } from './b.ts';\nexport type A = B;\n",
      'model/b.ts': "import type { A } from './a.ts';\nexport type B = A;\n",
    },
    want: 'model/b.ts:1: a type closes the cycle model/a.ts -> model/b.ts -> model/a.ts',
  },
  {
    name: 'an import of a file that is not there, such as one without its extension',
    files: { 'cli/render.ts': "import { log } from '../process/log';\n" },
    want: 'cli/render.ts:1: imports process/log, which is not there',
  },
  {
    name: 'an import that cannot be read',
    files: { 'cli/load.ts': 'export const load = (path: string) => import(path);\n' },
    want: 'cli/load.ts:1: the target of this import() cannot be read',
  },
];

describe('the layers check', () => {
  let top = '';
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'sluice-layers-'));
  });
  afterEach(() => rmSync(top, { recursive: true }));

  const write = (files: Files) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(top, path)), { recursive: true });
      writeFileSync(join(top, path), text);
    }
  };
  const told = () => findFaults(readSources(top)).map(({ file, line, message }) => `${file}:${line}: ${message}`);

  it('finds nothing wrong with a sound tree', () => {
    write(sound);
    expect(told()).to.deep.equal([]);
  });

  for (const { name, files, want } of rows) {
    it(`refuses ${name}`, () => {
      write({ ...sound, ...files });
      expect(told().map((line) => line.slice(0, want.length))).to.deep.equal([want]);
    });
  }

  it('ends with exit code 1 and says where, as a command', () => {
    write({ ...sound, 'model/words.ts': "import '../cli/main.ts';\n" });
    const script = join(import.meta.dirname, '../../../scripts/check-layers.ts');
    const { status, stderr, stdout } = spawnSync(process.execPath, ['--import', 'tsx', script, top], {
      encoding: 'utf8',
    });
    expect({ status, stdout }).to.deep.equal({ status: 1, stdout: '1 fault in 19 files\n' });
    expect(stderr).to.match(/^model\/words\.ts:1: model -> cli\/main\.ts is no arrow: /);
  });

  it('names values that nobody imports', () => {
    write({ 'model/a.ts': 'export const used = 1;\nexport const unused = 2;\nexport interface Shape {}\n' });
    write({ 'model/b.ts': "import { used } from './a.ts';\n" });
    const unused = findUnusedExports(readSources(top));
    expect(unused).to.deep.equal([{ file: 'model/a.ts', line: 2, message: 'exports unused, which nobody imports' }]);
  });
});

describe('the layers of this project', () => {
  const top = join(import.meta.dirname, '../../..');
  const sources = readSources(top);

  it('all point the right way', () =>
    expect(findFaults(sources).map(({ file, line, message }) => `${file}:${line}: ${message}`)).to.deep.equal([]));

  it('are those of the table: each entry has sources', () => {
    const paths = [...sources.keys()];
    const isUsed = (entry: string) => paths.some((path) => path === entry || path.startsWith(`${entry}/`));
    const entries = [...layers.map(({ path }) => path), ...homes.flatMap((home) => home.paths)];
    expect(entries.filter((entry) => !isUsed(entry))).to.deep.equal([]);
  });
});
