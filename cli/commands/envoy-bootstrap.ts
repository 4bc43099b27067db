/** `sluice envoy-bootstrap`: what an Envoy needs to stand in the mesh in place of an agent. */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';
import { isDnsLabel } from '../../model/names.ts';
import { formatHostPort, type HostPort, parseHostPort } from '../../process/host-port.ts';
import { exitCodes, usageError } from '../context.ts';
import { envoyBootstrap } from '../envoy-bootstrap.ts';
import { outputOption } from '../global-options.ts';
import { example } from '../help.ts';
import { given } from '../options.ts';
import type { CommandLine } from '../run.ts';

interface Options {
  readonly service: string;
  readonly id?: string;
  readonly namespace: string;
  readonly zone?: string;
  readonly server: HostPort;
  readonly outbound: HostPort;
  readonly inbound?: HostPort;
  readonly app?: HostPort;
  readonly upstream: Readonly<Record<string, HostPort>>;
  readonly only?: readonly string[];
  readonly admin?: HostPort;
  readonly mode: 'delta' | 'sotw';
}

export function completeEnvoyBootstrap(command: Command, { context, run }: CommandLine): void {
  command
    .addOption(
      new Option('--service <name>', 'the service that it stands beside').argParser(name).makeOptionMandatory(),
    )
    .option('--id <id>', 'unique in the namespace (default: HOSTNAME-SERVICE)')
    .addOption(new Option('--namespace <name>', 'namespace of the service').argParser(name).default('default'))
    .option('--zone <zone>', 'where it runs: for policies that prefer the same zone')
    .addOption(address('--server', 'the control plane').default({ host: '127.0.0.1', port: 15_010 }, '127.0.0.1:15010'))
    .addOption(
      listenAddress('--outbound', 'where the application sends its requests').default(
        { host: '127.0.0.1', port: 15_001 },
        '127.0.0.1:15001',
      ),
    )
    .addOption(listenAddress('--inbound', 'where requests to the application come in; with --app'))
    .addOption(address('--app', 'where the application listens'))
    .addOption(
      new Option('--upstream <service[:port]=host:port>', 'a local port for one service; repeatable')
        .argParser(upstream)
        .default({}, 'none'),
    )
    .addOption(
      new Option(
        '--only <services>',
        'the services that it may address, with commas (default: all of the namespace)',
      ).argParser((text) => text.split(',').map((each) => each.trim())),
    )
    .addOption(listenAddress('--admin', "Envoy's own admin port; none unless given"))
    .addOption(new Option('--mode <mode>', 'the form of xDS').choices(['delta', 'sotw']).default('delta'))
    .addOption(outputOption('how it is written (default: yaml)', ['yaml', 'json']))
    .addHelpText(
      'after',
      example(
        'envoy-bootstrap --service web --id web-1 > envoy.yaml',
        'envoy-bootstrap --service web --upstream reviews:9080=127.0.0.1:19080 --admin 127.0.0.1:15000',
      ),
    )
    .action(
      run(() => {
        const { id, inbound, app, upstream: upstreams, only, zone, admin, ...options } = command.opts<Options>();
        if ((inbound === undefined) !== (app === undefined)) {
          throw usageError(
            'envoy-bootstrap: --inbound and --app need each other: one says where requests come in, one where they go',
          );
        }
        const bootstrap = envoyBootstrap({
          ...options,
          id: id ?? `${hostname()}-${options.service}`,
          zone,
          inbound: inbound && app && { at: inbound, app },
          upstreams,
          services: only,
          admin,
        });
        const isJson = given(command, context).output === 'json';
        context.out.write(
          isJson ? `${JSON.stringify(bootstrap, null, 2)}\n` : stringify(bootstrap, { aliasDuplicateObjects: false }),
        );
        return exitCodes.done;
      }),
    );
}

function name(text: string): string {
  if (isDnsLabel(text)) return text;
  throw new InvalidArgumentError(`must be a name such as reviews: lower case letters, digits and hyphens.`);
}

/** To connect to. */
function address(flag: string, description: string): Option {
  return new Option(`${flag} <host:port>`, description).argParser((text: string) => {
    const found = parseHostPort(text);
    if (found && found.port > 0) return local(found);
    throw new InvalidArgumentError(`must be HOST:PORT, such as 127.0.0.1:8080.`);
  });
}

/** To listen on: Envoy looks up no names for that. */
function listenAddress(flag: string, description: string): Option {
  return new Option(`${flag} <host:port>`, description).argParser(readListenAddress);
}

function readListenAddress(text: string): HostPort {
  const found = parseHostPort(text);
  if (found && isIP(local(found).host) !== 0) return local(found);
  throw new InvalidArgumentError(`must be an IP address and a port, such as 127.0.0.1:15001.`);
}

function local({ host, port }: HostPort): HostPort {
  return { host: host === 'localhost' ? '127.0.0.1' : host, port };
}

function upstream(text: string, before: Readonly<Record<string, HostPort>>): Record<string, HostPort> {
  const [, service, at = ''] = /^([a-z0-9][a-z0-9.-]*(?::\d{1,5})?)=(.+)$/.exec(text) ?? [];
  if (service === undefined) {
    throw new InvalidArgumentError('must be SERVICE[:PORT]=HOST:PORT, such as reviews:9080=127.0.0.1:19080.');
  }
  const found = readListenAddress(at);
  const same = Object.entries(before).find(([, other]) => formatHostPort(other) === formatHostPort(found));
  if (same) throw new InvalidArgumentError(`${same[0]} has the address ${at} already.`);
  return { ...before, [service]: found };
}
