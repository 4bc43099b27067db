/** Addresses as settings have them. */
import { z } from 'zod';
import { parseHostPort } from './host-port.ts';

/** An address to listen on; port 0 takes a free one. */
export const listenAddress = hostPortSchema(0);
/** An address to connect to. */
export const dialAddress = hostPortSchema(1);

function hostPortSchema(lowestPort: number) {
  const sentence = `must be HOST:PORT with a port from ${lowestPort} to 65535, such as 127.0.0.1:8080 or [::1]:8080`;
  return z
    .string({ error: (issue) => (issue.input === undefined ? undefined : sentence) })
    .transform((text, context) => {
      const address = parseHostPort(text.trim());
      if (address !== undefined && address.port >= lowestPort) return address;
      context.addIssue({ code: 'custom', message: sentence });
      return z.NEVER;
    });
}
