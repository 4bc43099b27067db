/**
 * Every command as `sluice --help` lists it, and where the rest of it is: its options, and what it does. That is loaded for
 * a command that stands on the command line, and for no other: to load the code of all of them takes four times as long as
 * Node itself takes to start, and every agent would pay for it too.
 */
import type { Command } from 'commander';
import type { CommandLine } from './run.ts';

export interface ListedCommand {
  /** Its name, and what is written after it. */
  readonly synopsis: string;
  readonly description: string;
  /** Resolves with what gives the command its options and its action. */
  readonly load: () => Promise<(command: Command, line: CommandLine) => void>;
}

/** In the order of the list. */
export const commands: readonly ListedCommand[] = [
  {
    synopsis: 'server',
    description: 'run the control plane',
    load: async () => (await import('./commands/server.ts')).completeServer,
  },
  {
    synopsis: 'agent [command...]',
    description: 'run a sidecar agent; after `--` the application that it starts and ends with',
    load: async () => (await import('./commands/agent.ts')).completeAgent,
  },
  {
    synopsis: 'demo',
    description: 'watch real traffic move from v1 to v2: server, services and agents on free local ports',
    load: async () => (await import('./commands/demo.ts')).completeDemo,
  },
  {
    synopsis: 'apply [options]',
    description: 'apply rule files: one revision, all or nothing',
    load: async () => (await import('./commands/apply.ts')).completeApply,
  },
  {
    synopsis: 'diff [options]',
    description: 'what applying these files would change; exit code 4 when there is something',
    load: async () => (await import('./commands/diff.ts')).completeDiff,
  },
  {
    synopsis: 'validate [options]',
    description: 'check rule files without a server',
    load: async () => (await import('./commands/validate.ts')).completeValidate,
  },
  {
    synopsis: 'get [options] <kind> [name]',
    description: 'show one thing, or all of a kind',
    load: async () => (await import('./commands/get.ts')).completeGet,
  },
  {
    synopsis: 'delete [options] <kind> <name>',
    description: 'delete one document',
    load: async () => (await import('./commands/delete.ts')).completeDelete,
  },
  {
    synopsis: 'status [options]',
    description: 'the server, its revision, and the agents by revision and state',
    load: async () => (await import('./commands/status.ts')).completeStatus,
  },
  {
    synopsis: 'agents [options] [service]',
    description: 'all agents: what each was sent, has applied, or refuses and why',
    load: async () => (await import('./commands/lists.ts')).completeAgents,
  },
  {
    synopsis: 'instances [options] <service>',
    description: 'the instances of a service and their states',
    load: async () => (await import('./commands/lists.ts')).completeInstances,
  },
  {
    synopsis: 'history [options]',
    description: 'the newest revisions: who, when, why and what',
    load: async () => (await import('./commands/lists.ts')).completeHistory,
  },
  {
    synopsis: 'rollback [options] <revision>',
    description: 'back to how the rules stood at a revision; itself a new revision',
    load: async () => (await import('./commands/rollback.ts')).completeRollback,
  },
  {
    synopsis: 'envoy-bootstrap [options]',
    description: 'print the configuration of an Envoy that stands beside an application in place of an agent',
    load: async () => (await import('./commands/envoy-bootstrap.ts')).completeEnvoyBootstrap,
  },
  {
    synopsis: 'grpc-bootstrap [options]',
    description: 'print the bootstrap with which a gRPC application is a client of the mesh, without a sidecar',
    load: async () => (await import('./commands/grpc-bootstrap.ts')).completeGrpcBootstrap,
  },
  {
    synopsis: 'intercept [options] <action>',
    description: 'packet rules that bring the connections of this host to its agent',
    load: async () => (await import('./commands/intercept.ts')).completeIntercept,
  },
  {
    synopsis: 'schema [kind]',
    description: 'print the JSON Schema of a kind, or of any document',
    load: async () => (await import('./commands/schema.ts')).completeSchema,
  },
  {
    synopsis: 'version',
    description: 'the version of this command',
    load: async () => (await import('./commands/version.ts')).completeVersion,
  },
];
