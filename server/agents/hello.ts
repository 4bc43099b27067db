/** What an agent says when it registers, checked at the door: all faults at once, with the field each is about. */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import { MeshError } from '../../model/errors.ts';
import { dnsLabel, labels } from '../../model/name-schemas.ts';
import { faultProblem, parseValue } from '../../model/parse.ts';
import { type Health, HealthState, type Hello } from '../../proto/types.ts';
import type { InstanceRecord, InstanceRef, InstanceState } from '../registry/instance.ts';
import { agentGraceMs } from '../registry/registry.ts';

const mostLabels = 64;

/** Faults that are told: the answer goes into the trailers of a stream, which are small. */
const mostFaults = 20;

const place = z.object({
  address: z
    .string()
    .refine((text) => isIP(text) !== 0, { message: 'must be an IP address', abort: true })
    .refine((text) => !/^[0:.]*$/.test(text), 'must be an address that others can dial'),
  ports: z
    .record(z.union([z.literal(''), dnsLabel]), z.int().min(1).max(65_535))
    .refine((ports) => Object.keys(ports).length > 0, 'needs a port')
    .refine((ports) => Object.keys(ports).length <= mostLabels, `at most ${mostLabels} ports`),
});

const helloSchema = z.object({
  id: z
    .string()
    .regex(
      /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/,
      'must be letters, digits, ".", "_" and "-", at most 253',
    ),
  namespace: dnsLabel,
  service: dnsLabel,
  key: z.instanceof(Uint8Array).refine(({ length }) => length >= 16 && length <= 64, 'must be 16 to 64 random bytes'),
  agentVersion: z.string().max(100),
  names: z.array(z.string().max(253)).max(20_000),
  instance: z
    .object({
      ...place.shape,
      application: place.nullable(),
      intercepts: z.boolean(),
      labels: labels.refine((map) => Object.keys(map).length <= mostLabels, `at most ${mostLabels} labels`),
      weight: z.int().max(1_000_000),
      zone: z.string().max(253),
    })
    .nullable(),
});

export interface Registration {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  readonly keyHash: string;
  readonly version: string;
  /** The names that it asks for, known here or not. */
  readonly names: readonly string[];
  /** Undefined for an agent without application. */
  readonly instance: InstanceRecord | undefined;
}

/** Throws INVALID_REGISTRATION with every fault. */
export function readHello(hello: Hello): Registration {
  const parsed = parseValue(helloSchema, hello);
  if (!parsed.ok) {
    const problems = parsed.faults.slice(0, mostFaults).map(faultProblem);
    throw new MeshError('INVALID_REGISTRATION', [parsed.faults.length], { problems });
  }
  const { id, namespace, service, key, agentVersion, names, instance } = parsed.value;
  const state = stateOf(hello.instance?.health ?? null);
  return {
    id,
    namespace,
    service,
    keyHash: createHash('sha256').update(key).digest('hex'),
    version: agentVersion,
    names,
    instance: instance ? recordOf(instance, { id, namespace, service, state }) : undefined,
  };
}

function recordOf(
  { application, intercepts, weight, ...said }: NonNullable<z.output<typeof helloSchema>['instance']>,
  known: InstanceRef & Pick<InstanceRecord, 'state'>,
): InstanceRecord {
  return {
    ...said,
    ...(application && { application }),
    ...(intercepts && { intercepts }),
    ...known,
    weight: weight === 0 ? 1 : weight,
    source: 'agent',
    ttlMs: agentGraceMs,
  };
}

export function stateOf(health: Health | null): InstanceState {
  if (health?.state === HealthState.PASSING) return 'passing';
  return health?.state === HealthState.FAILING ? 'failing' : 'starting';
}
