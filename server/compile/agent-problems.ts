/** What documents ask for and own agents cannot do: of HTTP/2 and gRPC they see connections, not requests. */
import { formatPath, type Path, quote } from '../../model/problem.ts';
import type { Resource } from '../../model/resource.ts';
import { httpPartsOf } from '../../model/tcp-rules.ts';
import { type ClientProblem, documentName } from './compiled-variant.ts';
import { routeOf } from './routes.ts';
import type { ServiceInput } from './service-input.ts';

export function agentProblems(input: ServiceInput): ClientProblem[] {
  const { document, name } = input;
  if (document === undefined) return [];
  return document.spec.ports.flatMap((port, index) => {
    if (port.protocol !== 'http2' && port.protocol !== 'grpc') return [];
    const bytes = `agents pass connections to port ${quote(port.name)} of ${name} on as bytes`;
    const route = routeOf(input, port);
    return [
      problem(
        document,
        ['spec', 'ports', index, 'protocol'],
        `${bytes}: they choose an instance for each connection, not for each request`,
      ),
      ...(route ? httpPartsOf(route).map((path) => problem(route, path, `${bytes}: ${consequenceOf(path)}`)) : []),
    ];
  });
}

function problem(document: Resource, path: Path, sentence: string): ClientProblem {
  return { kind: 'agent', document: documentName(document), path: formatPath(path), sentence };
}

/** `path`: spec.rules[n].… */
function consequenceOf(path: Path): string {
  switch (path[3]) {
    case 'match':
      return 'no connection meets this condition';
    case 'redirect':
      return 'this rule takes none of them';
    default:
      return `${path[3]} does not count for them`;
  }
}
