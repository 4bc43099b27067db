/** GET /events: the stream of what happens. */
import { z } from 'zod';
import { type Endpoint, endpoint } from '../endpoint.ts';
import type { EventHub } from '../events.ts';
import type { ControlPlane } from '../ports.ts';

export function eventEndpoints({ rules }: ControlPlane, hub: EventHub): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/api/v1/events',
      summary:
        'Server-sent events: hello, revision, rollout, instance, agent. Slow readers are told the newest state of each thing',
      answers: {
        200: { description: 'A stream without end', contentType: 'text/event-stream', schema: z.string() },
        503: { description: 'Too many streams are open' },
      },
      handle() {
        hub.assertRoom();
        return {
          is: 'stream',
          contentType: 'text/event-stream',
          open: (response) => hub.add(response, { revision: rules.revision }),
        };
      },
    }),
  ];
}
