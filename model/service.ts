/**
 * The kind Service: what refines a service beyond its first registration: ports, subsets, aliases and how its
 * requests travel. Without a document a service has one port, `http`, number 80.
 */
import { z } from 'zod';
import { apiVersion, metadata } from './metadata.ts';
import { dnsLabel, dnsName, labels } from './names.ts';
import { always, keyField, lowerCased, unique } from './unique.ts';

const port = z.strictObject({
  name: dnsLabel,
  /** What callers say; an instance listens where it likes. */
  port: z.int().min(1).max(65535),
  protocol: z.enum(['http', 'http2', 'grpc', 'tcp']).default('http'),
});

/** The ports of a service that no document describes. */
export const defaultPorts: readonly ServicePort[] = [{ name: 'http', port: 80, protocol: 'http' }];

const subset = z.strictObject({
  name: dnsLabel,
  labels: labels.refine(
    (map) => Object.keys(map).length > 0,
    'needs at least one label; without any it would be all instances',
  ),
});

const spec = z.strictObject({
  ports: z
    .array(port)
    .min(1)
    .superRefine(unique('port name', keyField('name'), 'name'), always)
    .superRefine(unique('port number', keyField('port'), 'port'), always)
    .default(() => [...defaultPorts]),
  /** A subset that is not declared means the instances with the label `version` of that value. */
  subsets: z
    .array(subset)
    .superRefine(unique('subset', keyField('name'), 'name'), always)
    .default([]),
  /** Further DNS names; see `aliasName` for one without a dot. */
  aliases: z.array(dnsName).superRefine(unique('alias', lowerCased), always).default([]),
  hops: z.enum(['both', 'client', 'server', 'direct']).default('both'),
  instanceAddress: z.enum(['balance', 'keep']).default('balance'),
});

export const serviceSchema = z.strictObject({ apiVersion, kind: z.literal('Service'), metadata, spec });

export type Service = z.infer<typeof serviceSchema>;
export type ServicePort = z.infer<typeof port>;
export type Subset = Service['spec']['subsets'][number];
