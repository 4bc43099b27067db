/** The settings of an entry of a shared agent: those of an agent, and what tells its connections from those of others. */
import { listOf, wholeNumber } from '../../process/setting-kinds.ts';
import { agentSettingsSchema, mostId } from '../settings-schema.ts';

const owner = wholeNumber(0, mostId);
const most = 1_000_000;

export const entrySchema = agentSettingsSchema.safeExtend({
  uid: listOf(owner).meta({
    placeholder: 'UID[,…]',
    description: 'users of the application: packet rules bring here what they send',
  }),
  gid: listOf(owner).meta({ placeholder: 'GID[,…]', description: 'likewise its groups' }),
  maxConnections: wholeNumber(1, most)
    .prefault('4096')
    .meta({ placeholder: 'N', description: 'connections of clients at the same time; those beyond it are closed' }),
  maxRequests: wholeNumber(1, most)
    .prefault('4096')
    .meta({ placeholder: 'N', description: 'requests under way at the same time; those beyond it are refused' }),
  maxPendingRequests: wholeNumber(1, most)
    .prefault('1024')
    .meta({ placeholder: 'N', description: 'of them those that wait for a connection to an instance' }),
});

export type SettingName = keyof typeof entrySchema.shape;

/** Of one application alone: they stand in its entry, and nowhere else. */
export const ofOneEntry: ReadonlySet<string> = new Set<SettingName>([
  'service',
  'version',
  'id',
  'app',
  'appAdvertise',
  'outbound',
  'inbound',
  'upstream',
  'dns',
  'uid',
  'gid',
]);

/** Of the whole process: they stand above the entries, and in none. `intercept: none` may, too. */
export const ofTheProcess: ReadonlySet<string> = new Set<SettingName>(['admin', 'logLevel', 'vipRange', 'intercept']);

/** What several applications cannot have, and why. */
export const ofOneApplication: ReadonlyMap<string, string> = new Map<SettingName, string>([
  ['workers', 'goes with one application: the entries of a shared agent are carried by one process'],
  ['runAs', 'goes with one application, after --: those of entries are started by somebody else'],
]);
