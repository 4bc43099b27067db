/**
 * Which folder may import which: the arrows of ARCHITECTURE.md as one table. What is not in it is forbidden. A file
 * belongs to the longest path here that it lies under; within one entry everything may import everything.
 */

export interface Layer {
  /** A folder, or one file. */
  readonly path: string;
  /** Folders and files of ours; 'anything' for those that put the parts together. */
  readonly mayImport: readonly string[] | 'anything';
  /** Packages and `node:` modules that code of this entry may import; absent: any that has no home below. */
  readonly packages?: readonly string[];
  /** Neither I/O nor clock nor chance: what it answers depends on what it is given alone. */
  readonly isPure?: true;
  /** Stands beside every fault. */
  readonly rule: string;
}

const words = ['model', 'proto'];
const processes = [...words, 'process'];

export const layers: readonly Layer[] = [
  {
    path: 'model',
    mayImport: [],
    packages: ['re2js', 'yaml', 'zod'],
    isPure: true,
    rule: 'model/ holds the words that all parts share: it imports nothing of ours, and no I/O',
  },
  {
    path: 'proto',
    mayImport: [],
    packages: ['node:fs', 'node:path', 'protobufjs', 'protobufjs/ext/descriptor/index.js'],
    rule: 'proto/ is the wire contract and nothing else: it imports nothing of ours',
  },
  {
    path: 'process',
    mayImport: ['model'],
    rule: 'process/ is what every process needs and is not pure: it imports model/ alone',
  },
  {
    path: 'routing',
    mayImport: words,
    packages: ['re2js'],
    isPure: true,
    rule: 'routing/ turns resources into decisions, in the agent, the server and the CLI alike: it imports model/ and proto/ alone, and no I/O',
  },

  // Server: rules, registry -> store; xds -> snapshot -> compile; status reads, ports and telemetry show.
  {
    path: 'server/grpc',
    mayImport: ['process'],
    rule: 'the gRPC transport carries messages of any kind: it knows no service',
  },
  {
    path: 'server/store',
    mayImport: ['model', 'process'],
    rule: 'the store keeps what it is given; it knows neither rules nor registry nor anything derived',
  },
  {
    path: 'server/registry',
    mayImport: ['model', 'process', 'server/store'],
    rule: 'the registry is state: it stands on the store and knows nothing derived from it',
  },
  {
    path: 'server/rules',
    mayImport: ['model', 'process', 'server/store'],
    rule: 'the rules are state: they stand on the store and know nothing derived from them',
  },
  {
    path: 'server/compile',
    mayImport: [...words, 'routing', 'server/registry/instance.ts'],
    packages: ['node:crypto'],
    isPure: true,
    rule: 'compile() is a pure function of values; of the registry it knows the record of an instance alone',
  },
  {
    path: 'server/snapshot',
    mayImport: [...words, 'server/compile', 'server/registry/instance.ts'],
    packages: [],
    rule: 'the snapshot cache holds what was compiled; it asks for state by an interface of its own',
  },
  {
    path: 'server/xds',
    mayImport: [...processes, 'server/grpc', 'server/snapshot', 'server/compile'],
    rule: 'xds streams send snapshots; they know neither rules nor registry nor store',
  },
  {
    path: 'server/status',
    mayImport: [...processes, 'server/xds', 'server/registry', 'server/store'],
    rule: 'status is feedback that only readers use: it steers nothing, so it imports nothing that compiles or serves',
  },
  {
    path: 'server/agents',
    mayImport: [...processes, 'server/grpc', 'server/status', 'server/registry'],
    rule: "the agents' service registers and reports: it knows neither rules nor what is compiled",
  },
  {
    path: 'server/load-reports',
    mayImport: [...processes, 'server/grpc', 'server/xds/identity.ts'],
    rule: 'load reports are feedback that only readers use: they steer nothing, so they know nothing of what is served',
  },
  {
    path: 'server/operator-services',
    mayImport: [...processes, 'routing', 'server/grpc', 'server/xds', 'server/compile/encoded-resource.ts'],
    rule: 'services for tools show what streams have; they steer nothing',
  },
  {
    path: 'server/ports',
    mayImport: [...words, 'server', 'dashboard-api/ports.ts'],
    rule: 'ports/ shows the control plane as dashboard-api/ports.ts asks for it, and knows nothing else of the API',
  },
  {
    path: 'server/telemetry',
    mayImport: ['server', 'proto/type-urls.ts'],
    rule: 'telemetry/ counts; it reads the control plane',
  },
  {
    path: 'server/main.ts',
    mayImport: [...processes, 'server', 'dashboard-api'],
    rule: 'server/main.ts puts the server together; the agent is another process',
  },
  {
    path: 'server',
    mayImport: [...processes, 'routing', 'server'],
    rule: 'server/ imports neither agent/ nor cli/; dashboard-api/ is handed over by server/main.ts and server/ports/',
  },

  // Agent: registration -> xds -> view -> resilience -> balance -> routing; proxy -> view, http1, telemetry; admin shows.
  {
    path: 'agent/balance',
    mayImport: ['routing'],
    packages: [],
    isPure: true,
    rule: 'balancers choose among instances: they know no connection, no stream and no proxy',
  },
  {
    path: 'agent/resilience',
    mayImport: ['routing', 'agent/balance'],
    packages: [],
    isPure: true,
    rule: 'resilience/ decides by what it is told: it knows no connection, no timer and no proxy',
  },
  {
    path: 'agent/view',
    mayImport: [...words, 'routing', 'agent/balance', 'agent/resilience'],
    packages: [],
    isPure: true,
    rule: 'a view is a value that requests are routed by: it knows neither where it came from nor who forwards',
  },
  {
    path: 'agent/xds',
    mayImport: [...processes, 'routing', 'agent/view'],
    rule: 'xds/ makes views of what the control plane sends; it knows nothing of proxied requests',
  },
  {
    path: 'agent/state',
    mayImport: ['process', 'agent/xds', 'agent/view'],
    rule: 'state/ keeps on disk what was applied; it knows nothing of proxied requests',
  },
  {
    path: 'agent/registration',
    mayImport: [...processes, 'routing/duration.ts', 'agent/xds', 'agent/agent-settings.ts'],
    rule: 'registration/ keeps the agent connected; it knows nothing of proxied requests',
  },
  {
    path: 'agent/http1',
    mayImport: ['process'],
    rule: 'http1/ is the HTTP engine behind its seam: it knows nothing of the mesh',
  },
  {
    path: 'agent/dns',
    mayImport: ['model/names.ts', 'process'],
    packages: ['dns-packet', 'node:dgram', 'node:net'],
    rule: 'dns/ answers by a directory that it is given: it knows neither the control plane nor the proxy',
  },
  {
    path: 'agent/telemetry',
    mayImport: ['process', 'agent/proxy/local-answer.ts', 'agent/http1/byte-writer.ts'],
    packages: [],
    rule: 'telemetry/ keeps what it is told of requests; of the proxy it knows the words for its own answers alone',
  },
  {
    path: 'agent/proxy',
    mayImport: [
      'process',
      'routing',
      'agent/view',
      'agent/balance',
      'agent/resilience',
      'agent/http1',
      'agent/telemetry',
    ],
    rule: 'the proxy routes by the view that it is given: it knows no control plane',
  },
  {
    path: 'agent/health-checks',
    mayImport: ['process', 'agent/view', 'agent/resilience'],
    rule: 'health-checks/ looks after instances beside the requests: it knows no proxy and no control plane',
  },
  {
    path: 'agent/admin',
    mayImport: [
      ...processes,
      'routing',
      'agent/http1',
      'agent/xds',
      'agent/view',
      'agent/balance',
      'agent/resilience',
      'agent/proxy',
      'agent/registration',
      'agent/telemetry',
      'agent/dns/counters.ts',
    ],
    rule: 'admin/ shows the agent; it steers nothing but the drain it is handed',
  },
  {
    path: 'agent/interception/rules',
    mayImport: [],
    packages: ['zod', 'node:net'],
    isPure: true,
    rule: 'the rules are a value made of a description: who tells the kernel is not their matter',
  },
  {
    path: 'agent/interception',
    mayImport: ['process', 'agent/interception/rules'],
    packages: [],
    rule: 'interception/ tells the kernel; it knows no agent, and runs tools by what it is handed',
  },
  {
    path: 'agent/workers',
    mayImport: [
      'process',
      'agent/access-log.ts',
      'agent/admin',
      'agent/agent-settings.ts',
      'agent/data-plane.ts',
      'agent/health-checks',
      'agent/http1',
      'agent/listeners.ts',
      'agent/proxy/forwarded.ts',
      'agent/registration',
      'agent/telemetry',
      'agent/view',
      'agent/xds',
    ],
    rule: 'workers/ carries requests in several processes: it knows neither the control plane nor the state directory',
  },
  {
    path: 'agent',
    mayImport: [...processes, 'routing', 'agent'],
    rule: 'agent/ imports neither server/ nor cli/ nor dashboard-api/: it needs a message instead',
  },

  {
    path: 'dashboard-api',
    mayImport: ['model', 'routing'],
    rule: 'dashboard-api/ names what else it needs in ports.ts; server/main.ts hands it over',
  },
  { path: 'cli', mayImport: 'anything', rule: 'cli/ starts either process' },
  { path: 'examples', mayImport: [], rule: 'an example stands for an application: it knows no mesh' },
  { path: 'scripts', mayImport: 'anything', rule: 'scripts/ looks at the project from outside' },
  { path: 'bench', mayImport: 'anything', rule: 'bench/ measures the project from outside' },
  { path: 'test', mayImport: 'anything', rule: 'test/ looks at the project from outside' },
];

/** What may be taken of a module of Node that otherwise is I/O: these are functions of their arguments. */
export const pureNames: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['isIP', 'isIPv4', 'isIPv6'],
};

/** Who looks at the project from outside: homes below do not bind it. */
export const outside: readonly string[] = ['scripts', 'bench', 'test'];

/** What only one part of the project may know. A module not in here may be imported wherever packages allow it. */
export const homes: readonly { readonly name: string; readonly paths: readonly string[]; readonly rule: string }[] = [
  {
    name: 'protobufjs',
    paths: ['proto/load.ts', 'proto/descriptors.ts'],
    rule: 'one file knows how messages become bytes, and one how they are described',
  },
  { name: 'lmdb', paths: ['server/store'], rule: 'a store is known by its contract' },
  { name: 'express', paths: ['dashboard-api'], rule: 'what answers HTTP stays inside the API' },
  { name: 'commander', paths: ['cli'], rule: 'the command line ends at its door' },
  { name: 'dns-packet', paths: ['agent/dns'], rule: 'what is said over DNS is made in one place' },
  { name: 'koffi', paths: ['process'], rule: 'system calls are wrapped once' },
  {
    name: 'pino',
    paths: ['process/log.ts', 'process/redact.ts'],
    rule: 'a log is made in one place, where secrets are taken out',
  },
  {
    name: '@grpc/grpc-js',
    paths: ['agent/registration', 'agent/xds'],
    rule: 'the agent speaks gRPC by grpc-js, the server by server/grpc',
  },
  { name: 'node:http2', paths: ['server/grpc'], rule: 'HTTP/2 ends at the gRPC port' },
  { name: 'prom-client', paths: ['server/telemetry'], rule: 'metrics are read where they are shown' },
  {
    name: 'node:http',
    paths: ['agent/http1', 'agent/admin', 'agent/health-checks', 'dashboard-api', 'cli', 'examples'],
    rule: 'proxied requests go through the seam of agent/http1, so that the engine behind it can be replaced',
  },
  {
    name: 'node:child_process',
    paths: ['process', 'cli', 'server/store/probe.ts'],
    rule: 'who starts a process also ends it',
  },
];

/** Words that make a file impure, in code that says it is pure. */
export const impureWords =
  /\b(?:Date\.now|new Date\(\)|Math\.random|performance\.now|process\.\w+|console\.\w+|setTimeout|setInterval|setImmediate|fetch\(|async|await)(?!\w)/;

/** Time, chance and the process are arguments below these files. */
export const worldly = {
  words: /\b(?:Date\.now|new Date\(\)|Math\.random|performance\.now|process\.(?:env|exit|on|once))\b/,
  paths: [
    'server/main.ts',
    'agent/main.ts',
    'agent/workers/program.ts',
    'agent/program/program.ts',
    'process',
    'cli',
    'examples',
  ],
  rule: 'time, chance and the process are arguments; only a main.ts or program.ts, process/ and cli/ ask for them',
} as const;
