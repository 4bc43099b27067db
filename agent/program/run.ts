/** Runs what was read: an agent of one application, or of several. */
import { runAgent, runSharedAgent } from '../main.ts';
import type { HandedOver } from './handed-over.ts';

/** Resolves with the exit code. `environment`: what settings are read by again. */
export function run(
  handedOver: HandedOver,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  if ('settings' in handedOver) return runAgent(handedOver.settings, handedOver.command);
  const { shared, flags, file } = handedOver;
  const read = async () => {
    // What reads files is loaded when one is to be read, which for most agents is never.
    const { loadSharedSettings } = await import('../shared/shared-config.ts');
    const { withFile } = await import('../../process/settings.ts');
    const missing = { file, path: 'entries', message: 'is missing: an agent of several applications stays one' };
    return loadSharedSettings(await withFile({ flags, environment })) ?? { problems: [missing] };
  };
  return runSharedAgent(shared, { file, read });
}
