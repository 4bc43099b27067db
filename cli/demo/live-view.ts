/** After the steps, on a terminal: commands to try in a second one, and a line that shows what they do to the traffic. */
import { join, relative } from 'node:path';
import { z } from 'zod';
import type { ApiClient } from '../api-client.ts';
import type { Context } from '../context.ts';
import { paint } from '../render.ts';
import { canaryFolder } from './steps.ts';
import type { Counts, Traffic } from './traffic.ts';

const revisionEvent = z.object({ revision: z.number() });

/** Until the signal. */
export async function showLive(
  client: ApiClient,
  traffic: Traffic,
  context: Context,
  signal: AbortSignal,
): Promise<void> {
  const { out } = context;
  out.write(commandsText(client.url, context));
  let revision = 0;
  const follow = async (): Promise<void> => {
    for await (const { name, data } of client.events(signal)) {
      if (name === 'hello' || name === 'revision') revision = revisionEvent.parse(data).revision;
    }
  };
  follow().catch(() => undefined);
  let before = traffic.counts;
  const timer = setInterval(() => {
    const now = traffic.counts;
    out.write(`\r\u001b[K${liveLine(before, now, revision, traffic.failed)}`);
    before = now;
  }, 1_000);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
  clearInterval(timer);
  out.write('\r\u001b[K');
}

/** `revision 4   200 requests/s   v1 10.0 %  v2 90.0 %   failed 0`. */
export function liveLine(before: Counts, now: Counts, revision: number, failed: number): string {
  const last = Object.entries(now)
    .map(([version, number]) => ({ version, number: number - (before[version] ?? 0) }))
    .sort((a, b) => (a.version < b.version ? -1 : 1));
  const sum = last.reduce((total, { number }) => total + number, 0);
  const parts = last.map(
    ({ version, number }) => `${version} ${sum === 0 ? '0.0' : ((number / sum) * 100).toFixed(1)} %`,
  );
  return `revision ${revision}   ${sum} requests/s   ${parts.join('  ')}   failed ${failed}`;
}

function commandsText(api: string, { out }: Context): string {
  const folder = relative(process.cwd(), canaryFolder());
  const commands = [
    `apply --api ${api} --wait -f ${join(folder, '03-50-50.yaml')}`,
    `rollback --api ${api} --wait 1`,
    `status --api ${api} --watch`,
    `history --api ${api}`,
    `diff --api ${api} -f ${join(folder, '01-90-10.yaml')}`,
  ];
  const lines = commands.map((command) => `  npx sluice ${command}\n`).join('');
  return `\nIt goes on. ${paint(out, 'bold', 'Try in a second terminal')} (Ctrl-C here ends it all):\n${lines}\n`;
}
