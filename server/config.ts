/** The settings of the server: one schema says default, unit and meaning of each (docs/configuration.md). */
import { z } from 'zod';
import { duration, durationMs } from '../model/duration.ts';
import { isDnsName } from '../model/names.ts';
import { listenAddress } from '../process/address-settings.ts';
import { logLevels } from '../process/log-levels.ts';
import { wholeNumber } from '../process/setting-kinds.ts';
import { type LoadedSettings, loadSettings, type SettingsSources } from '../process/settings.ts';

/** gRPC clients report no more often than every second, whatever they are asked for. */
const shortestReportIntervalMs = 100;

export const serverSettings = z.object({
  http: listenAddress.prefault('127.0.0.1:7070').meta({
    description: 'Address of REST API, /metrics, /healthz and /readyz. Port 0 takes a free one.',
    placeholder: 'HOST:PORT',
  }),
  grpc: listenAddress.prefault('127.0.0.1:15010').meta({
    description: 'Address of xDS and of the registration of agents. Port 0 takes a free one.',
    placeholder: 'HOST:PORT',
  }),
  store: z
    .string()
    .prefault('embedded')
    .refine((text) => text === 'embedded', 'must be embedded; redis://… is not supported yet')
    .meta({ description: 'Where revisions and registrations are kept: embedded, in the data directory.' }),
  dataDir: z
    .string()
    .min(1, 'must name a directory')
    .prefault('./data')
    .meta({ description: 'Directory of the embedded store. Created when it is missing.', placeholder: 'DIR' }),
  domain: z
    .string()
    .transform((text) => text.toLowerCase())
    .refine(isDnsName, 'must be a DNS name')
    .prefault('mesh.local')
    .meta({ description: 'Suffix of full names: reviews.default.mesh.local.', placeholder: 'NAME' }),
  vipRange: z
    .cidrv4('must be an IPv4 range such as 240.240.0.0/16')
    .refine((range) => Number(range.split('/')[1]) <= 30, 'must have room for more than two addresses')
    .prefault('240.240.0.0/16')
    .meta({ description: 'Range of virtual addresses of services, an address each for ever.', placeholder: 'CIDR' }),
  continueFrom: wholeNumber(0, 2 ** 32 - 2)
    .prefault('0')
    .meta({
      description:
        'For a store restored from a backup: go on above this revision, so that agents which saw it obey again.',
      placeholder: 'N',
    }),
  loadReportInterval: duration
    .prefault('10s')
    .refine((text) => durationMs(text) >= shortestReportIntervalMs, 'must be at least 100ms')
    .meta({ description: 'How often agents and clients report what they send where.', placeholder: 'DURATION' }),
  logLevel: z
    .enum(logLevels, `must be one of ${logLevels.join(', ')}`)
    .prefault('info')
    .meta({ description: `One of ${logLevels.join(', ')}.`, placeholder: 'LEVEL' }),
});

export type ServerSettings = z.output<typeof serverSettings>;

/** All settings, or everything that is wrong with them. */
export function loadServerSettings(sources: SettingsSources): LoadedSettings<typeof serverSettings> {
  return loadSettings(serverSettings, sources);
}
