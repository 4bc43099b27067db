/** Names to ask for, questions as bytes, and a responder without sockets whose answers are read by dns-packet. */
import { type DecodedPacket, decode, encode, type Packet, type RecordType } from 'dns-packet';
import { createCounters } from '../../../../agent/dns/counters.ts';
import { Forwarder } from '../../../../agent/dns/forwarder.ts';
import type { InstanceName, NameDirectory, VirtualName } from '../../../../agent/dns/name-directory.ts';
import { Responder, type Transport } from '../../../../agent/dns/responder.ts';
import { FakeClock } from '../../process/fake-clock.ts';

export const reviews: VirtualName = {
  is: 'virtual',
  name: 'reviews.default.mesh.local',
  addresses: ['240.240.0.1', 'fd00::1'],
  ports: [{ name: 'http', port: 80 }],
};
export const ratings: VirtualName = {
  is: 'virtual',
  name: 'ratings.shop.mesh.local',
  addresses: ['240.240.0.2'],
  ports: [{ name: 'grpc', port: 9090 }],
};
/** In hop mode direct. */
export const details = instanceName('details', 3);
const many = instanceName('many', 100);
const nobody = instanceName('nobody', 0);

export function instanceName(service: string, count: number): InstanceName {
  const name = `${service}.default.mesh.local`;
  const instances = Array.from({ length: count }, (_, index) => ({
    name: `${service}-${index}.${name}`,
    address: `10.0.0.${index}`,
    ports: [{ name: 'http', port: 8_080 + index }],
  }));
  return { is: 'instances', name, instances };
}

const services = [reviews, ratings, details, many, nobody];
const aliases = new Map([['com.example.user.userfacade', ratings]]);

/** An instance's answer is kept, as the contract of the directory wants it. */
const instances = new Map(
  [details, many].flatMap((service) =>
    service.instances.map((each): [string, InstanceName] => [
      each.name,
      { is: 'instances', name: each.name, instances: [each] },
    ]),
  ),
);

export const directory: NameDirectory = {
  find: (name, instance) => {
    const full = name.endsWith('.mesh.local') ? name : `${name}.mesh.local`;
    if (instance !== undefined) return instances.get(`${instance}.${full}`) ?? 'unknown';
    return aliases.get(name) ?? services.find((service) => service.name === full) ?? 'unknown';
  },
  nameOf: (address) => {
    if (address === '240.240.0.1' || address === 'fd00:0:0:0:0:0:0:1') return reviews.name;
    return address.startsWith('240.240.') ? 'unknown' : 'foreign';
  },
};

export interface QuestionOptions {
  readonly type?: RecordType | 'ANY';
  /** The size that an OPT record says; none without. */
  readonly udpBytes?: number;
  readonly isDnssecOk?: boolean;
  readonly id?: number;
  /** RD alone unless given. */
  readonly flags?: number;
}

export function question(name: string, options: QuestionOptions = {}): Buffer {
  const { type = 'A', udpBytes, isDnssecOk = false, id = 4_711, flags = 0x0100 } = options;
  // Types of dns-packet know no ANY.
  const packet: Packet = { type: 'query', id, flags, questions: [{ type: type === 'ANY' ? 'A' : type, name }] };
  const typed = (message: Buffer) => {
    if (type === 'ANY') message.writeUInt16BE(255, 12 + name.length + 2);
    return message;
  };
  if (udpBytes === undefined) return typed(encode(packet));
  const opt = { udpPayloadSize: udpBytes, extendedRcode: 0, ednsVersion: 0, flags: isDnssecOk ? 0x8000 : 0 };
  const additionals: Packet['additionals'] = [{ type: 'OPT', name: '.', ...opt, flag_do: isDnssecOk, options: [] }];
  return typed(encode({ ...packet, additionals }));
}

/** Without anybody to forward to: what is not of the mesh is answered SERVFAIL. */
export function createResponder(own: Partial<NameDirectory> = {}) {
  const clock = new FakeClock();
  const counters = createCounters();
  const forwarder = new Forwarder({
    upstreams: () => [],
    patience: { attemptMs: 1_000, wholeMs: 4_000 },
    clock,
    randomBytes: (count) => new Uint8Array(count),
    counters,
  });
  const responder = new Responder({
    names: { domain: 'mesh.local', namespace: 'default' },
    directory: { ...directory, ...own },
    forwarder,
    clock,
    counters,
    directoryPatienceMs: 2_000,
  });
  /** The bytes of all answers so far. */
  const answersTo = (message: Buffer, transport: Transport = 'udp') => {
    const answers: Buffer[] = [];
    responder.answer(message, transport, (answer) => answers.push(answer));
    return answers;
  };
  return {
    clock,
    counters,
    answersTo,
    ask: (name: string, options?: QuestionOptions, transport?: Transport) =>
      read(answersTo(question(name, options), transport)[0]),
  };
}

/** What dns-packet calls `rcode`, which its types leave out. */
export type Read = DecodedPacket & { readonly rcode?: string };

export function read(answer: Buffer | undefined): Read {
  if (answer === undefined) throw new Error('there is no answer');
  return decode(answer);
}

/** `A 240.240.0.1` for each record of a section. */
export function lines(records: DecodedPacket['answers']): string[] {
  return (records ?? []).flatMap((record) => {
    if (record.type === 'OPT') return [];
    if (record.type === 'SRV') return [`SRV ${record.data.port} ${record.data.target}`];
    if (record.type === 'SOA') return [`SOA ${record.name} ${record.data.minimum}`];
    return 'data' in record ? [`${record.type} ${String(record.data)}`] : [];
  });
}
