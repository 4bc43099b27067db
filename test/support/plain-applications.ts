/** Applications that know nothing of the mesh, and the commands that ask them, on hosts of a test's own. */
import type { NetworkNamespace } from './network-namespaces.ts';
import { type Processes, programs } from './processes.ts';

export const sluice: readonly string[] = [process.execPath, programs.sluice];

/** Answers each request with its name, on all addresses of both families. */
export async function startApplication(
  processes: Processes,
  { on, name, port }: { readonly on: NetworkNamespace; readonly name: string; readonly port: number },
): Promise<void> {
  const source = `
import http.server, socket
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    def do_GET(self):
        self.send_response(200)
        self.send_header('content-length', '${name.length}')
        self.end_headers()
        self.wfile.write(b'${name}')
    def log_message(self, *rest): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Server(('::', ${port}), Answer)
print('ready', flush=True)
server.serve_forever()
`;
  // By its path: a version manager's python3 in root's home is nothing for other users.
  const started = processes.start(on.inside(['/usr/bin/python3', '-c', source]), { name });
  await started.says(/ready/);
}

/** To be put before a command line: it is this user's, with the group of the same number. */
export function asUser(uid: number): string[] {
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
}

/** The command line of so many requests, one after the other on one connection unless `flags` of curl say otherwise. */
export function curl(url: string, times = 1, flags: readonly string[] = []): string[] {
  const common = ['--silent', '--show-error', '--max-time', '10', '--globoff', '--write-out', '\\n'];
  return ['curl', ...common, ...flags, ...Array.from({ length: times }, () => url)];
}

/** What answered, and how often, of what `curl` printed. */
export function answers(printed: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of printed.trim().split('\n')) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
}

/** What a command on the host printed. Rejects when it fails. */
export async function printed(host: NetworkNamespace, command: readonly string[], input = ''): Promise<string> {
  const result = await host.run(command, input);
  if (result === undefined || result.code !== 0) throw new Error(`${command.join(' ')}: ${result?.stderr}`);
  return result.stdout;
}

/** Registers an instance at the control plane of the host, as something that is no agent does. */
export async function registerInstance(
  host: NetworkNamespace,
  path: `${string}/${string}`,
  { address, port, version }: { readonly address: string; readonly port: number; readonly version: string },
): Promise<void> {
  const [service, id] = path.split('/');
  const body = JSON.stringify({ address, port, labels: { version }, ttl: '1h' });
  const put = ['curl', '--silent', '--fail', '-X', 'PUT', '-H', 'content-type: application/json', '-d', body];
  await printed(host, [...put, `http://127.0.0.1:7070/api/v1/services/${service}/instances/${id}`]);
}

/** A control plane on the host, which agents reach at `address`:15010 and commands on the host at 127.0.0.1:7070. */
export async function startControlPlane(
  processes: Processes,
  { on, address }: { readonly on: NetworkNamespace; readonly address: string },
) {
  const flags = ['--grpc', `${address}:15010`, '--data-dir', processes.makeFolder('data')];
  const server = processes.start(on.inside([...sluice, 'server', ...flags]), { name: 'server' });
  await server.says(/"msg":"serving"/);
  return server;
}
