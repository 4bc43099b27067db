/**
 * A file of settings with `entries`: a shared agent. What stands above them goes for all, or is what entries have that say
 * nothing else. Everything that is wrong is found at once, of each entry and among them.
 */
import { formatProblem, type Problem } from '../../model/problem.ts';
import type { FileItem } from '../../process/file-values.ts';
import {
  type Given,
  givenValues,
  keyOf,
  parseGiven,
  type SettingsSources,
  unknownFlags,
  unknownKeys,
} from '../../process/settings.ts';
import type { SharedSettings } from '../agent-settings.ts';
import { completeSettings, type Machine, stateBaseOf, thisMachine } from '../config.ts';
import { conflicts, type PlacedEntry } from './entry-conflicts.ts';
import { entrySchema, ofOneApplication, ofOneEntry, ofTheProcess } from './entry-schema.ts';

export type LoadedShared = { readonly settings: SharedSettings } | { readonly problems: readonly Problem[] };

const names = Object.keys(entrySchema.shape);
const entryNames = names.filter((name) => !ofTheProcess.has(name) && !ofOneApplication.has(name));
const keysOfNoEntry = new Set([...ofTheProcess, ...ofOneApplication.keys()].map(keyOf));

/** Undefined when the sources speak of one application. */
export function loadSharedSettings(
  sources: SettingsSources,
  machine: Machine = thisMachine(),
): LoadedShared | undefined {
  const { file } = sources;
  const list = file.values.get('entries');
  // Of a file that cannot be read nobody knows what it speaks of.
  if (list === undefined) return file.problems.length > 0 ? { problems: file.problems } : undefined;
  const given = givenValues(names, sources);
  const problems = [
    ...file.problems,
    ...unknownKeys([...names, 'entries'], file.values),
    ...unknownFlags(names, sources.flags),
    ...[...given].flatMap(([name, { at }]) => misplaced(name, given).map((message) => ({ ...at, message }))),
  ];
  if (list.items === undefined || list.items.length === 0) {
    problems.push({
      ...list.at,
      path: 'entries',
      message: 'must be a list of applications: `- service: NAME`, and so on',
    });
  }
  const common = new Map([...given].filter(([name]) => !ofOneEntry.has(name) && name !== 'stateDir'));
  const base = given.get('stateDir');
  if (base !== undefined && typeof base.value !== 'string')
    problems.push({ ...base.at, message: 'must be a directory' });
  const stateBase = typeof base?.value === 'string' ? base.value : stateBaseOf(sources, machine);
  const placed: PlacedEntry[] = [];
  for (const [index, item] of (list.items ?? []).entries()) {
    const read = readEntry(item, { path: `entries[${index}]`, common, machine, stateBase });
    problems.push(...read.problems);
    if (read.placed !== undefined) placed.push(read.placed);
  }
  problems.push(...conflicts(placed, machine.uid));
  const [first] = placed;
  if (problems.length > 0 || first === undefined) return { problems: eachOnce(problems) };
  const { admin, logLevel } = first.entry;
  return { settings: { admin, logLevel, entries: placed.map(({ entry }) => entry) } };
}

interface EntryContext {
  readonly path: string;
  readonly common: ReadonlyMap<string, Given>;
  readonly machine: Machine;
  readonly stateBase: string;
}

interface ReadEntry {
  readonly problems: readonly Problem[];
  /** Undefined when its settings cannot be read. */
  readonly placed?: PlacedEntry;
}

function readEntry({ at, values }: FileItem, { path, common, machine, stateBase }: EntryContext): ReadEntry {
  const here = { ...at, path };
  if (values === undefined) {
    return { problems: [{ ...here, message: 'must be a map of settings: `service: NAME`, and so on' }] };
  }
  const own = new Map(
    names.flatMap((name): [string, Given][] => {
      const found = values.get(keyOf(name));
      if (found === undefined || found.value === null) return [];
      return [[name, { value: found.value, at: { ...found.at, path: `${path}.${keyOf(name)}` } }]];
    }),
  );
  const others = new Map([...values].filter(([key]) => !keysOfNoEntry.has(key)));
  const problems = [
    ...unknownKeys(entryNames, others, `${path}.`),
    ...[...own].flatMap(([name, { value, at: where }]) =>
      misplacedInEntry(name, value).map((message) => ({ ...where, message })),
    ),
  ];
  // Nobody has to know the number where packet rules lead.
  const outbound: [string, Given] = ['outbound', { value: '127.0.0.1:0', at: here }];
  const given = new Map([outbound, ...common, ...own]);
  const loaded = parseGiven(entrySchema, given, (name) => ({
    ...here,
    path: `${path}.${keyOf(name)}`,
    message: 'must be given',
  }));
  if ('problems' in loaded) return { problems: [...problems, ...loaded.problems] };
  const { uid: uids, gid: gids, maxConnections, maxRequests, maxPendingRequests, ...settings } = loaded.settings;
  const ports = { inbound: 0, dns: uids.length + gids.length > 0 ? 0 : undefined };
  const complete = completeSettings(settings, { machine, stateBase, ports });
  const accessLog = complete.accessLog && { ...complete.accessLog, entry: complete.id };
  const limits = { maxConnections, maxRequests, maxPendingRequests };
  const entry = { ...complete, accessLog, uids, gids, limits };
  return { problems, placed: { path, entry, placeOf: (setting) => own.get(setting)?.at ?? here } };
}

/** Above the entries. */
function misplaced(name: string, given: ReadonlyMap<string, Given>): string[] {
  if (ofOneEntry.has(name)) return ['is of one application: it goes into its entry'];
  const why = ofOneApplication.get(name);
  if (why !== undefined) return [why];
  const isExternal = name === 'intercept' && given.get(name)?.value === 'external';
  return isExternal
    ? ['must be none, iptables or nftables: the rules of several applications go with their entries']
    : [];
}

function misplacedInEntry(name: string, value: unknown): string[] {
  if (name === 'intercept' && value === 'none') return [];
  if (name === 'intercept') return ['can only be none in an entry: what it is else stands above the entries'];
  if (ofTheProcess.has(name)) return ['goes for the whole agent: it stands above the entries'];
  const why = ofOneApplication.get(name);
  return why === undefined ? [] : [why];
}

/** What is wrong above the entries is wrong in each of them. In the order of the file. */
function eachOnce(problems: readonly Problem[]): Problem[] {
  const each = [...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()];
  return each.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
}
