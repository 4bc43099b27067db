/** What two entries of a shared agent cannot both have, and what none can. Pure. */
import type { Problem } from '../../model/problem.ts';
import { formatHostPort, type HostPort, isUnspecified } from '../../process/host-port.ts';
import { keyOf } from '../../process/settings.ts';
import type { EntrySettings } from '../agent-settings.ts';

/** An entry that was read, and where its settings stand. */
export interface PlacedEntry {
  /** `entries[0]`. */
  readonly path: string;
  readonly entry: EntrySettings;
  /** Of one of its settings; of the entry when that is not given. */
  placeOf(setting: string): Omit<Problem, 'message'>;
}

/** By kind of claim; those of different kinds do not collide. */
const why = {
  id: 'each needs its own, also in another namespace',
  user: 'what a user sends goes to one entry',
  group: 'what a group sends goes to one entry',
  'state directory': 'each needs its own',
  'application port': 'packet rules know an application by its port',
  address: 'one can listen there',
} as const;

/** Something that one entry has for itself. */
interface Claim {
  /** `entries[0]`; '' of the process. */
  readonly of: string;
  readonly setting: string;
  readonly kind: keyof typeof why;
  readonly value: string | number | HostPort;
}

/** `ownUid`: of the agent; undefined where there are no users. */
export function conflicts(placed: readonly PlacedEntry[], ownUid: number | undefined): Problem[] {
  const problems: Problem[] = [];
  const [first] = placed;
  const claims: Claim[] =
    first === undefined ? [] : [{ of: '', setting: 'admin', kind: 'address', value: first.entry.admin }];
  for (const { path, entry, placeOf } of placed) {
    for (const [setting, message] of faultsOf(entry, ownUid)) problems.push({ ...placeOf(setting), message });
    const isTwin = claims.some(({ kind, value }) => kind === 'id' && value === entry.id);
    for (const claim of claimsOf(entry, path)) {
      const other = claims.find((each) => collide(each, claim));
      claims.push(claim);
      // Of two with one id the directories follow from it.
      if (other === undefined || (claim.kind === 'state directory' && isTwin)) continue;
      const key = keyOf(other.setting);
      const setting = other.of === path || other.of === '' ? key : `${other.of}.${key}`;
      problems.push({
        ...placeOf(claim.setting),
        message: `${textOf(claim)} is ${setting} as well: ${why[claim.kind]}`,
      });
    }
  }
  return problems;
}

function faultsOf({ uids, gids, interception }: EntrySettings, ownUid: number | undefined): [string, string][] {
  const setting = uids.length > 0 ? 'uid' : 'gid';
  if (interception === undefined && uids.length + gids.length > 0) {
    return [[setting, 'goes with intercept: nftables or iptables: without packet rules nobody looks at it']];
  }
  if (ownUid === undefined || !uids.includes(ownUid)) return [];
  return [['uid', `${ownUid} is the user of the agent itself, whose connections are let alone`]];
}

function claimsOf(
  { id, uids, gids, stateDir, appPorts, interception, outbound, upstreams, dns }: EntrySettings,
  path: string,
): Claim[] {
  const isIntercepted = interception !== undefined;
  const inbounds = isIntercepted ? appPorts.slice(0, 1) : appPorts;
  const claims: readonly Omit<Claim, 'of'>[] = [
    { setting: 'id', kind: 'id', value: id },
    { setting: 'stateDir', kind: 'state directory', value: stateDir },
    ...[...new Set(uids)].map((value) => ({ setting: 'uid', kind: 'user', value }) as const),
    ...[...new Set(gids)].map((value) => ({ setting: 'gid', kind: 'group', value }) as const),
    // Packet rules know what is for an application by the number of its port.
    ...(isIntercepted ? appPorts : []).map(
      ({ app }) => ({ setting: 'app', kind: 'application port', value: app.port }) as const,
    ),
    ...[
      { setting: 'outbound', value: outbound },
      ...inbounds.map(({ inbound }) => ({ setting: 'inbound', value: inbound })),
      ...upstreams.map(({ listen }) => ({ setting: 'upstream', value: listen })),
      ...(dns === undefined ? [] : [{ setting: 'dns', value: dns.listen }]),
    ].map((each) => ({ ...each, kind: 'address' }) as const),
  ];
  return claims.map((claim) => ({ of: path, ...claim }));
}

function collide(one: Claim, other: Claim): boolean {
  if (one.kind !== other.kind) return false;
  if (typeof one.value !== 'object' || typeof other.value !== 'object') return one.value === other.value;
  const [{ host, port }, { host: otherHost, port: otherPort }] = [one.value, other.value];
  if (port === 0 || port !== otherPort) return false;
  return host === otherHost || isUnspecified(host) || isUnspecified(otherHost);
}

function textOf({ value }: Claim): string {
  return typeof value === 'object' ? formatHostPort(value) : JSON.stringify(value);
}
