/** `sluice grpc-bootstrap`: the file that GRPC_XDS_BOOTSTRAP names, for applications that need no sidecar. */
import { hostname } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { isDnsLabel } from '../../model/names.ts';
import { formatHostPort, parseHostPort } from '../../process/host-port.ts';
import { exitCodes } from '../context.ts';
import { outputOption } from '../global-options.ts';
import { grpcBootstrap } from '../grpc-bootstrap.ts';
import { example } from '../help.ts';
import type { CommandLine } from '../run.ts';

const defaultServer = '127.0.0.1:15010';

const collected = z.object({
  service: z.string(),
  id: z.string().optional(),
  namespace: z.string(),
  zone: z.string(),
  server: z.array(z.string()).optional(),
});

export function completeGrpcBootstrap(command: Command, { context, run }: CommandLine): void {
  command
    .requiredOption('--service <name>', 'the service that the application is', parseName)
    .option('--id <id>', 'unique in the namespace (default: HOSTNAME-SERVICE)', parseId)
    .option('--namespace <name>', 'of the service, and what short names mean', parseName, 'default')
    .option('--zone <zone>', 'where the application runs', '')
    .option(
      '--server <host:port>',
      `gRPC address of a server; may be repeated (default: ${defaultServer})`,
      parseServer,
    )
    // gRPC reads nothing else; taken for scripts that ask every command for JSON.
    .addOption(outputOption('as gRPC reads it', ['json']))
    .addHelpText(
      'after',
      example(
        'grpc-bootstrap --service web --id web-1 > web.json',
        'grpc-bootstrap --service web --server mesh-1:15010',
      ),
    )
    .action(
      run(() => {
        const { service, id = `${hostname()}-${service}`, server, ...more } = collected.parse(command.opts());
        const bootstrap = grpcBootstrap({ ...more, service, id, servers: server ?? [defaultServer] });
        context.out.write(`${JSON.stringify(bootstrap, null, 2)}\n`);
        return exitCodes.done;
      }),
    );
}

function parseName(text: string): string {
  if (isDnsLabel(text)) return text;
  throw new InvalidArgumentError('must be letters, digits and "-" in lower case.');
}

function parseId(text: string): string {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('must be letters, digits, ".", "_" and "-".');
}

function parseServer(text: string, before: string[] | undefined): string[] {
  const address = parseHostPort(text);
  if (address && address.port > 0) return [...(before ?? []), formatHostPort(address)];
  throw new InvalidArgumentError('must be HOST:PORT.');
}
