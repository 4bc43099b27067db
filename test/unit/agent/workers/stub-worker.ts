/** Runs as a process of its own: says what a worker says, carries nothing. What it is to do otherwise stands in the zone. */
import { openParentChannel } from '../../../../process/parent-channel.ts';
import { sluiceVersion } from '../../../../process/version.ts';

let habit = '';
const channel = openParentChannel({ onMessage: (message) => on(message), onEnd: () => process.exit(0) });
// How a program is told that knows no zone yet.
const version = process.env.STUB_VERSION ?? sluiceVersion;
channel.send({ is: 'loaded', version });

function on(message: unknown): void {
  if (typeof message !== 'object' || message === null || !('is' in message)) return;
  switch (message.is) {
    case 'start':
      habit = 'zone' in message ? String(message.zone) : '';
      if (habit === 'ends at the start') process.exit(7);
      channel.send({ is: 'serving' });
      if (habit === 'has connections') channel.send({ is: 'connections', connections: 3 });
      return;
    case 'use':
      return channel.send({ is: 'using', change: 'change' in message ? message.change : 0 });
    case 'report':
      if (habit === 'talks nonsense') return channel.send({ is: 'nonsense' });
      return channel.send({
        is: 'report',
        traffic: { outbound: { requests: 1, active: 0 } },
        clusters: [],
        accessLog: { written: 0, dropped: 0 },
        connections: 4,
        memory: { rss: 1, heapUsed: 1 },
      });
    case 'close-inbound':
      return channel.send({ is: 'inbound-closed' });
    case 'close':
      process.exit(0);
  }
}
