/**
 * The kind Service: what refines a service beyond its first registration: ports, subsets, aliases and how its
 * requests travel. Without a document a service has one port, `http`, number 80.
 */
import { z } from 'zod';
import { apiVersion, metadata } from './metadata.ts';
import { dnsLabel, dnsName, labels } from './name-schemas.ts';
import { must } from './sentences.ts';
import { always, keyField, lowerCased, unique } from './unique.ts';

const port = z.strictObject({
  name: dnsLabel.describe('What Routes call the port.'),
  port: z.int().min(1).max(65535).describe('What callers say; an instance listens where it likes.'),
  protocol: z.enum(['http', 'http2', 'grpc', 'tcp']).default('http'),
});

/** The ports of a service that no document describes. */
export const defaultPorts: readonly ServicePort[] = [{ name: 'http', port: 80, protocol: 'http' }];

const subset = z.strictObject({
  name: dnsLabel,
  labels: labels
    .meta({ minProperties: 1 })
    .refine((map) => Object.keys(map).length > 0, 'needs at least one label; without any it would be all instances'),
});

/** What nobody looks up in a mesh, so that it would lead there by accident alone (RFC 6761, RFC 1035, RFC 3596). */
const alias = dnsName
  .refine(
    (name) => !/(?:^|\.)localhost$/.test(name),
    must('must not be "localhost" or below it: that is the machine of whoever asks'),
  )
  .refine((name) => !/(?:^|\.)(?:in-addr|ip6)\.arpa$/.test(name), must('must not be the name of an address (.arpa)'));

const spec = z.strictObject({
  ports: z
    .array(port)
    .min(1)
    .superRefine(unique('port name', keyField('name'), 'name'), always)
    .superRefine(unique('port number', keyField('port'), 'port'), always)
    .default(() => defaultPorts.map((one) => ({ ...one })))
    .describe('One port, http with the number 80, unless given. A Host without port means the first.'),
  subsets: z
    .array(subset)
    .superRefine(unique('subset', keyField('name'), 'name'), always)
    .default([])
    .describe('Instances by label. A subset that is not declared is the instances with that label version.'),
  aliases: z
    .array(alias)
    .superRefine(unique('alias', lowerCased), always)
    .default([])
    .describe('Further DNS names; one without a dot is a name in the namespace.'),
  hops: z
    .enum(['both', 'client', 'server', 'direct'])
    .default('both')
    .describe('On which side requests pass an agent.'),
  instanceAddress: z
    .enum(['balance', 'keep'])
    .default('balance')
    .describe("What a caller gets that dials an instance's own address."),
});

export const serviceSchema = z.strictObject({ apiVersion, kind: z.literal('Service'), metadata, spec });

export type Service = z.infer<typeof serviceSchema>;
export type ServicePort = z.infer<typeof port>;
