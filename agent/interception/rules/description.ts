/**
 * What is to be intercepted, in an operator's words: the input of `createRuleSet`, parsed once at the door. Nothing
 * here knows how the kernel is told.
 */
import { z } from 'zod';
import { type Cidr, parseCidr } from './cidr.ts';

/** The ports that the agent listens on while it intercepts. */
export const agentPorts = { outbound: 15001, inbound: 15006, dns: 15053, admin: 15000 } as const;
export const defaultVipRange = '240.240.0.0/16';

const port = z.int().min(1).max(65_535);
/** The kernel keeps 4294967295 for "no user". */
const id = z.int().min(0).max(4_294_967_294);
const cidr = z.string().transform((text, context): Cidr => {
  const parsed = parseCidr(text.trim());
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'must be an address or a range, such as 10.0.0.0/8 or fd00::/8' });
  return z.NEVER;
});
const address = cidr.refine(({ family, prefix }) => prefix === (family === 'ipv4' ? 32 : 128), {
  error: 'must be one IP address',
});

/** An application with ports of its own at an agent that several share. */
const application = z.strictObject({
  /** Whose connections are its own: processes of any of these users or groups. */
  uids: z.array(id).default([]),
  gids: z.array(id).default([]),
  outboundPort: port,
  /** Where its questions of names go; nowhere else than they are addressed when not given. */
  dnsPort: port.optional(),
  /** The ports that it listens on, and where connections to them go. */
  ports: z.array(port).default([]),
  /**
   * Of them those that the agent dials on loopback alone: what it sends there by another address of this host is from another
   * application of it, and goes to `inboundPort` as well.
   */
  loopbackPorts: z.array(port).default([]),
  inboundPort: port.optional(),
});

export const interceptionSchema = z
  .strictObject({
    /** Whose connections are the agent's own and are let alone. Any of them is enough; at least one is needed. */
    agent: z.strictObject({
      uid: id.optional(),
      gid: id.optional(),
      /** Path below the root of cgroup v2, such as `system.slice/sluice-agent.service`. It has to be there already. */
      cgroup: z
        .string()
        .regex(/^[\w@.:-]+(?:\/[\w@.:-]+)*$/, {
          error: 'must be a path below the root of cgroup v2, such as system.slice/a.service',
        })
        .optional(),
    }),
    /** Both unless given. */
    families: z
      .array(z.enum(['ipv4', 'ipv6']))
      .min(1)
      .default(['ipv4', 'ipv6']),
    /** Where connections of applications go. */
    outboundPort: port.default(agentPorts.outbound),
    /** Where connections to applications go. */
    inboundPort: port.default(agentPorts.inbound),
    /** Where questions of names go. */
    dnsPort: port.default(agentPorts.dns),
    /** Other ports of the agent on this host, which nobody is redirected from. */
    ownPorts: z.array(port).default([agentPorts.admin]),
    /** Addresses of services. Taken in any case, whatever is excluded, with a route so that every host can dial them. */
    vipRanges: z.array(cidr).default(() => vipRanges(defaultVipRange)),
    /** Addresses of the control plane, which anybody reaches directly. */
    controlPlane: z.array(z.strictObject({ address, port })).default([]),
    /**
     * In place of one application, which everything goes to: what comes from and is for these alone. The three ports above, and
     * whose connections are taken by `outbound` and `inbound`, are of no account then.
     */
    applications: z.array(application).optional(),
    outbound: z
      .strictObject({
        /** Users whose connections and questions are taken. */
        uids: z.union([z.literal('all'), z.array(id).min(1)]).default('all'),
        excludeUids: z.array(id).default([]),
        excludePorts: z.array(port).default([]),
        excludeCidrs: z.array(cidr).default([]),
      })
      .prefault({}),
    inbound: z
      .strictObject({
        /** Ports whose connections are taken; `all` but 22: rules should not lock out who could take them away. */
        ports: z.union([z.literal('all'), z.array(port)]).default('all'),
        excludePorts: z.array(port).default([]),
        /** Callers whose connections are let alone. */
        excludeCidrs: z.array(cidr).default([]),
      })
      .prefault({}),
    /** Name servers whose questions are taken, port 53 over UDP and TCP; an empty list takes none. */
    dnsServers: z.union([z.literal('all'), z.array(address)]).default('all'),
  })
  .refine(({ agent }) => agent.uid !== undefined || agent.gid !== undefined || agent.cgroup !== undefined, {
    path: ['agent'],
    error: "needs uid, gid or cgroup: otherwise the agent's own connections would come back to it",
  })
  .refine(({ vipRanges: ranges }) => ranges.every(({ prefix }) => prefix >= 8), {
    path: ['vipRanges'],
    error: 'must be ranges of /8 or smaller: all of it is routed to this host',
  });

/** As one writes it. */
export type InterceptionInput = z.input<typeof interceptionSchema>;
/** As the rules are made of it: complete. */
export type Interception = z.output<typeof interceptionSchema>;

function vipRanges(text: string): Cidr[] {
  const range = parseCidr(text);
  return range === undefined ? [] : [range];
}
