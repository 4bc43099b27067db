/** Runs as a process of its own: answers what it is told, with the kind of what comes along. */
import { openParentChannel } from '../../../process/parent-channel.ts';

const channel = openParentChannel({
  onMessage: (message, handle) => {
    channel.send({ heard: message, with: handle === undefined ? 'nothing' : handle.constructor.name });
    if (typeof message === 'object' && message !== null && 'end' in message) process.exit(3);
  },
  onEnd: () => process.exit(0),
});
channel.send({ is: 'there' });
