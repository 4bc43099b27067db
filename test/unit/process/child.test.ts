import { expect } from 'chai';
import { startChild } from '../../../process/child.ts';

const node = (program: string) => [process.execPath, '-e', program];

describe('a child process', () => {
  for (const { name, command, want } of [
    { name: 'ends with its exit code', command: node('process.exit(7)'), want: 7 },
    { name: 'ends with 128+n by signal n', command: node('process.kill(process.pid, "SIGKILL")'), want: 137 },
    { name: 'that there is not ends with 127', command: ['no-such-command-anywhere'], want: 127 },
    { name: 'that cannot be run ends with 126', command: [import.meta.dirname], want: 126 },
  ]) {
    it(name, async () => expect(await startChild(command).ended).to.equal(want));
  }

  it('gets the signals it is sent, and none when it has ended', async () => {
    const child = startChild(node('setInterval(() => {}, 1000)'));
    child.signal('SIGTERM');
    expect(await child.ended).to.equal(143);
    child.signal('SIGTERM');
  });
});
