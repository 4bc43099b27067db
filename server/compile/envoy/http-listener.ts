/** The HTTP connection managers of an Envoy beside an application: how requests come in, and what Envoy's own answers say. */
import type { Input } from '../../../proto/load.ts';
import {
  type Any,
  type ConfigSource,
  type Filter,
  HeaderValueOptionHeaderAppendAction as HeaderAction,
  HTTPFault,
  HttpConnectionManager,
  type HttpFilter,
  Lua,
  type ResponseMapper,
  Router,
  HttpConnectionManagerServerHeaderTransformation as ServerHeader,
} from '../../../proto/types.ts';
import { faultFilter } from '../../../routing/fault-policy.ts';
import { any } from '../any.ts';
import { compileDuration } from '../duration.ts';
import { authorityScript, scopeHeader } from './authority.ts';
import { stickyFilter } from './sticky-cookie.ts';

/** Requests go by the route configuration of one port of one service. */
export function routedBy(routeConfigurationName: string, source: Input<ConfigSource>): Input<Filter> {
  return manager({
    statPrefix: routeConfigurationName,
    rds: { configSource: source, routeConfigName: routeConfigurationName },
    httpFilters: [sticky, fault, router],
  });
}

/** Requests find their service by the name that they are addressed to. */
export function routedByAuthority(namespace: string, domain: string, source: Input<ConfigSource>): Input<Filter> {
  return manager({
    statPrefix: 'outbound',
    scopedRoutes: {
      name: 'services',
      scopeKeyBuilder: { fragments: [{ headerValueExtractor: { name: scopeHeader, index: 0 } }] },
      rdsConfigSource: source,
      scopedRds: { scopedRdsConfigSource: source },
    },
    httpFilters: [script(authorityScript(namespace, domain)), sticky, fault, router],
  });
}

/** Every request goes to one cluster. */
export function routedTo(cluster: string): Input<Filter> {
  const routes = [{ match: { prefix: '/' }, route: { cluster, timeout: none } }];
  return manager({
    statPrefix: 'inbound',
    routeConfig: { name: 'inbound', virtualHosts: [{ name: 'inbound', domains: ['*'], routes }] },
    httpFilters: [router],
  });
}

const none = compileDuration(0);

function manager(own: Input<HttpConnectionManager>): Input<Filter> {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typedConfig: any(HttpConnectionManager, {
      ...own,
      // The caller is the application beside it, and what it says of itself stays.
      useRemoteAddress: { value: false },
      generateRequestId: { value: false },
      serverHeaderTransformation: ServerHeader.PASS_THROUGH,
      upgradeConfigs: [{ upgradeType: 'websocket' }],
      // Only a rule ends a request.
      streamIdleTimeout: none,
      localReplyConfig: { mappers },
    }),
  };
}

const router: Input<HttpFilter> = filter('envoy.filters.http.router', any(Router, { suppressEnvoyHeaders: true }));
/** Gives out cookies where the route says so. */
const sticky: Input<HttpFilter> = filter(stickyFilter, any(Lua, {}));
/** Does what the route says, and without a word of it nothing. */
const fault: Input<HttpFilter> = filter(faultFilter, any(HTTPFault, {}));

function script(text: string): Input<HttpFilter> {
  return filter('envoy.filters.http.lua', any(Lua, { defaultSourceCode: { inlineString: text } }));
}

function filter(name: string, typedConfig: Input<Any>): Input<HttpFilter> {
  return { name, typedConfig };
}

interface LocalReply {
  readonly reason: string;
  /** Of Envoy. */
  readonly flags: readonly string[];
  /** Envoy's own unless given. */
  readonly status?: number;
  readonly body?: string;
}

/** Envoy's flags of an answer that it makes itself, and what own agents call the same (docs/agent.md). */
const localReplies: readonly LocalReply[] = [
  {
    reason: 'no-route',
    flags: ['NR'],
    body: '%REQ(:AUTHORITY)% is no service of the mesh, or no rule of it takes this request\n',
  },
  { reason: 'fault', flags: ['FI'] },
  { reason: 'overflow', flags: ['UO'] },
  { reason: 'no-healthy-instance', flags: ['UH', 'NC'] },
  { reason: 'timeout', flags: ['UT'] },
  { reason: 'upstream-connect-failure', flags: ['UF'] },
  { reason: 'upstream-malformed', flags: ['UPE'] },
  { reason: 'upstream-reset', flags: ['UC', 'UR', 'LR'], status: 502 },
  { reason: 'bad-request', flags: ['DPE'] },
];

const mappers: readonly Input<ResponseMapper>[] = localReplies.map(({ reason, flags, status, body }) => ({
  filter: { responseFlagFilter: { flags } },
  statusCode: status === undefined ? undefined : { value: status },
  headersToAdd: [
    { header: { key: 'x-sluice-reason', value: reason }, appendAction: HeaderAction.OVERWRITE_IF_EXISTS_OR_ADD },
  ],
  bodyFormatOverride: body === undefined ? undefined : { textFormatSource: { inlineString: body } },
}));
