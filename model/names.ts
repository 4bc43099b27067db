/**
 * What may be a name, and how names are put together into the names on the wire.
 * The rules are Kubernetes' rules, so that names can come from there unchanged.
 */

const label = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const dnsLabelPattern = new RegExp(`^${label}$`);
const dnsNamePattern = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`);

export function isDnsLabel(text: string): boolean {
  return dnsLabelPattern.test(text);
}

/** Whether the text is a DNS name in lower case. */
export function isDnsName(text: string): boolean {
  return dnsNamePattern.test(text);
}

export interface ServiceRef {
  readonly namespace: string;
  readonly name: string;
}

/** `reviews.default`: how a service is called everywhere but in documents. */
export function serviceKey(namespace: string, name: string): string {
  return `${name}.${namespace}`;
}

/** Undefined when the text is not `name.namespace`. */
export function parseServiceKey(key: string): ServiceRef | undefined {
  const [name = '', namespace = '', ...rest] = key.split('.');
  if (rest.length > 0 || !isDnsLabel(name) || !isDnsLabel(namespace)) return undefined;
  return { namespace, name };
}

/** The full name of an alias: one without a dot is a name in the namespace of its service. */
export function aliasName(namespace: string, alias: string): string {
  return alias.includes('.') ? alias : serviceKey(namespace, alias);
}

/**
 * How the address of an instance is spelled where it stands for its service: `192.168.1.104:12220`, `[fd00::7]:12220`; an IPv6
 * address in its shortest form, however it was registered.
 */
export function addressSpelling(address: string, port: number): string {
  return address.includes(':') ? `${new URL(`http://[${address}]`).hostname}:${port}` : `${address}:${port}`;
}

export interface ClusterRef {
  readonly service: string;
  readonly namespace: string;
  /** Name of the service's port. */
  readonly port: string;
  /** '' means all instances. */
  readonly subset: string;
}

/** `reviews.default|http|v1`; without subset `reviews.default|http|`. */
export function clusterName({ service, namespace, port, subset }: ClusterRef): string {
  return `${serviceKey(namespace, service)}|${port}|${subset}`;
}

/** Undefined when the text is no cluster name of Sluice. */
export function parseClusterName(text: string): ClusterRef | undefined {
  const [key = '', port = '', subset = '', ...rest] = text.split('|');
  const service = parseServiceKey(key);
  if (service === undefined || rest.length > 0 || text.split('|').length !== 3) return undefined;
  if (!isDnsLabel(port) || (subset !== '' && !isDnsLabel(subset))) return undefined;
  return { service: service.name, namespace: service.namespace, port, subset };
}

export interface RouteConfigurationRef {
  readonly service: string;
  readonly namespace: string;
  readonly portNumber: number;
}

/** `reviews.default:9080`. */
export function routeConfigurationName({ service, namespace, portNumber }: RouteConfigurationRef): string {
  return `${serviceKey(namespace, service)}:${portNumber}`;
}

/** What gRPC servers put before the address that they listen on, to ask for their listener; our bootstrap says so. */
export const grpcServerListenerPrefix = 'grpc/server?xds.resource.listening_address=';
