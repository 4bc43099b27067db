/** From what the mesh says of a name to the records of an answer. Pure. */
import { isIPv6 } from 'node:net';
import type { Answer as DnsRecord } from 'dns-packet';
import type { InstanceName, NameAnswer, NamedPort } from './name-directory.ts';
import type { OwnQuestion, ServiceQuestion } from './own-question.ts';
import { recordType, responseCode } from './protocol.ts';

/** Records of an answer, by section. */
export interface Answer {
  readonly code: number;
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** What the directory said; a name for PTR. */
export type Found = NameAnswer | 'unknown' | { readonly is: 'pointer'; readonly name: string };

/**
 * For how long applications may keep an answer, and that there is none, in seconds. Virtual IPs stay, but whether a service is
 * reached by one is changed while it runs, and a service that is missing now may be there in a moment.
 */
export const ownTtlSeconds = 5;

export interface Asked {
  readonly question: OwnQuestion;
  /** The name as it was asked, in lower case: whose records these are. */
  readonly text: string;
  readonly type: number;
  readonly domain: string;
}

export function answerTo(asked: Asked, found: Found): Answer {
  const { question, type } = asked;
  if (question.is === 'apex') return apexAnswer(asked);
  if (question.is === 'empty') return negative(asked, responseCode.NOERROR);
  if (found === 'unknown' || question.is === 'nobody') return negative(asked, responseCode.NXDOMAIN);
  if (found.is === 'pointer') {
    const record: DnsRecord = { type: 'PTR', name: asked.text, ttl: ownTtlSeconds, data: found.name };
    return wants(type, 'PTR') ? positive([record]) : negative(asked, responseCode.NOERROR);
  }
  if (question.is !== 'service') return negative(asked, responseCode.NXDOMAIN);
  if (question.port === undefined) {
    const records = addressRecords(asked.text, addressesOf(found), type);
    return records.length > 0 ? positive(records) : negative(asked, responseCode.NOERROR);
  }
  return portAnswer(asked, question, found);
}

function portAnswer(asked: Asked, { port: wanted }: ServiceQuestion, found: NameAnswer): Answer {
  const hasNobody = found.is === 'instances' && found.instances.length === 0;
  if (wanted === '' || hasNobody) return negative(asked, responseCode.NOERROR);
  const targets = targetsOf(found).flatMap(({ name, addresses, ports }) => {
    const port = ports.find((each) => each.name === wanted)?.port;
    return port === undefined ? [] : [{ name, addresses, port }];
  });
  const [first] = targets;
  if (first === undefined) return negative(asked, responseCode.NXDOMAIN);
  if (!wants(asked.type, 'SRV')) return negative(asked, responseCode.NOERROR);
  const records = targets.map(
    ({ name: target, port }): DnsRecord => ({
      type: 'SRV',
      name: asked.text,
      ttl: ownTtlSeconds,
      data: { priority: 0, weight: 0, port, target },
    }),
  );
  const additionals = targets.flatMap(({ name, addresses }) => addressRecords(name, addresses, recordType.ANY));
  return { ...positive(records), additionals };
}

function apexAnswer(asked: Asked): Answer {
  if (wants(asked.type, 'SOA')) return positive([soaRecord(asked.domain, asked.domain)]);
  if (wants(asked.type, 'NS')) {
    return positive([{ type: 'NS', name: asked.domain, ttl: ownTtlSeconds, data: `ns.${asked.domain}` }]);
  }
  return negative(asked, responseCode.NOERROR);
}

/** With the SOA of the zone, by which resolvers know how long they may keep it (RFC 2308). */
function negative({ text, domain }: Asked, code: number): Answer {
  const isBelow = text === domain || text.endsWith(`.${domain}`);
  // Outside of the domain, as of aliases and addresses, a zone is the name that is there, or what a missing one is missing in.
  const own = code === responseCode.NXDOMAIN ? text.slice(text.indexOf('.') + 1) : text;
  return { code, answers: [], authorities: [soaRecord(isBelow ? domain : own, domain)], additionals: [] };
}

function positive(answers: readonly DnsRecord[]): Answer {
  return { code: responseCode.NOERROR, answers, authorities: [], additionals: [] };
}

function soaRecord(zone: string, domain: string): DnsRecord {
  const data = {
    mname: `ns.${domain}`,
    rname: `hostmaster.${domain}`,
    // Nobody transfers the zone, so nobody compares.
    serial: 1,
    refresh: 3_600,
    retry: 600,
    expire: 86_400,
    minimum: ownTtlSeconds,
  };
  return { type: 'SOA', name: zone, ttl: ownTtlSeconds, data };
}

function addressRecords(name: string, addresses: readonly string[], type: number): DnsRecord[] {
  return addresses.flatMap((data): DnsRecord[] => {
    const kind = isIPv6(data) ? 'AAAA' : 'A';
    return wants(type, kind) ? [{ type: kind, name, ttl: ownTtlSeconds, data }] : [];
  });
}

/** Each address once: instances may share one. */
function addressesOf(found: NameAnswer): readonly string[] {
  if (found.is === 'virtual') return found.addresses;
  return [...new Set(found.instances.map(({ address }) => address))];
}

interface Target {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly ports: readonly NamedPort[];
}

function targetsOf(found: NameAnswer): readonly Target[] {
  return found.is === 'virtual' ? [found] : instanceTargets(found);
}

function instanceTargets({ instances }: InstanceName): readonly Target[] {
  return instances.map(({ name, address, ports }) => ({ name, addresses: [address], ports }));
}

/** ANY is answered with what there is (RFC 8482 allows less; there is never much). */
function wants(type: number, kind: keyof typeof recordType): boolean {
  return type === recordType[kind] || type === recordType.ANY;
}
