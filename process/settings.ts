/**
 * The settings of a process: one zod schema says name, default and meaning of each; a value comes from its flag, else
 * its environment variable, else the `--config` file, else the default. Bad input is a list of problems, all at once.
 */
import { z } from 'zod';
import { formatPath, type Path, type Problem } from '../model/problem.ts';
import { type FileValues, noFile } from './file-values.ts';

/** One field a setting, in camel case: `dataDir` is `--data-dir`, `SLUICE_DATA_DIR` and the file's key `data-dir`. */
export type SettingsSchema = z.ZodObject;

/** What a process is told at its start. */
export interface ToldSettings {
  /** As commander has them: camel case, `undefined` when not given. `config` names the file. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** `process.env`. A variable that is empty counts as not given. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Where values may come from. */
export interface SettingsSources extends ToldSettings {
  /** The one that `--config` names; `noFile` when it names none. */
  readonly file: FileValues;
}

export type LoadedSettings<Schema extends SettingsSchema> =
  | { readonly settings: z.output<Schema> }
  | { readonly problems: readonly Problem[] };

/**
 * All settings, or everything that is wrong with them. A problem's path names the source: `--data-dir`,
 * `SLUICE_DATA_DIR`, or the key in the file with its line. `--config FILE` itself is no field of the schema.
 */
export function loadSettings<Schema extends SettingsSchema>(
  schema: Schema,
  sources: SettingsSources,
): LoadedSettings<Schema> {
  const names = Object.keys(schema.shape);
  const { file } = sources;
  const given = givenValues(names, sources);
  const problems = [...file.problems, ...unknownKeys(names, file.values), ...unknownFlags(names, sources.flags)];
  const loaded = parseGiven(schema, given, (name) => ({
    path: flagOf(name),
    message: `must be given (or as ${variableOf(name)})`,
  }));
  if ('settings' in loaded) return problems.length === 0 ? loaded : { problems };
  return { problems: [...problems, ...loaded.problems] };
}

/** With the file that is named. What reads YAML is loaded for one alone: most programs are told none. */
export async function withFile(told: ToldSettings): Promise<SettingsSources> {
  const path = settingsFileOf(told);
  if (path === undefined) return { ...told, file: noFile };
  const { readSettingsFile } = await import('./settings-file.ts');
  return { ...told, file: readSettingsFile(path) };
}

/** The path that `--config` or its variable names. */
export function settingsFileOf({ flags, environment }: ToldSettings): string | undefined {
  return givenText(flags.config) ?? givenText(environment[variableOf('config')]);
}

/** A value and what to call the place it stands in. */
export interface Given {
  readonly value: unknown;
  readonly at: Omit<Problem, 'message'>;
}

/** What is given of these settings, by their names in camel case. */
export function givenValues(names: readonly string[], sources: SettingsSources): ReadonlyMap<string, Given> {
  return new Map(names.flatMap((name) => givenOf(name, sources)));
}

/** All settings, or what is wrong with them, each where it was given. `missing`: what to say of one that has to be and is not. */
export function parseGiven<Schema extends SettingsSchema>(
  schema: Schema,
  given: ReadonlyMap<string, Given>,
  missing: (name: string) => Problem,
): LoadedSettings<Schema> {
  const values = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const parsed = schema.safeParse(values, { error: (issue) => wrongType(issue) });
  if (parsed.success) return { settings: parsed.data };
  return { problems: parsed.error.issues.map((issue) => problemOf(issue, given, missing)) };
}

/** `dataDir` as a flag, a variable and a key of the file. */
export const flagOf = (name: string) => `--${keyOf(name)}`;
export const variableOf = (name: string) => `SLUICE_${keyOf(name).replaceAll('-', '_').toUpperCase()}`;
export const keyOf = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** A setting as a help text and a documentation page show it. */
export interface SettingDescription {
  readonly name: string;
  readonly flag: string;
  readonly variable: string;
  readonly key: string;
  readonly description: string;
  /** Such as HOST:PORT; '' when the schema names none. */
  readonly placeholder: string;
  readonly isRepeatable: boolean;
  /** As it would be written; undefined when there is none. */
  readonly defaultText: string | undefined;
}

/**
 * What the fields say of themselves by `.meta({ description, placeholder, repeatable })` and `.prefault(text)` or
 * `.default(value)`.
 */
export function describeSettings(schema: SettingsSchema): SettingDescription[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const meta = z.globalRegistry.get(field) ?? {};
    return {
      name,
      flag: flagOf(name),
      variable: variableOf(name),
      key: keyOf(name),
      description: meta.description ?? '',
      placeholder: typeof meta.placeholder === 'string' ? meta.placeholder : '',
      isRepeatable: meta.repeatable === true,
      defaultText: defaultOf(field),
    };
  });
}

function defaultOf(field: z.core.$ZodType): string | undefined {
  const { def } = field._zod;
  const value = def.type === 'prefault' || def.type === 'default' ? Reflect.get(def, 'defaultValue') : undefined;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function givenOf(name: string, { flags, environment, file }: SettingsSources): [string, Given][] {
  const flag = flags[name];
  if (flag !== undefined) return [[name, { value: flag, at: { path: flagOf(name) } }]];
  const variable = givenText(environment[variableOf(name)]);
  if (variable !== undefined) return [[name, { value: variable, at: { path: variableOf(name) } }]];
  const entry = file.values.get(keyOf(name));
  // A key without a value (`zone:`) is null in YAML and means what an empty variable means.
  if (entry === undefined || entry.value === null) return [];
  return [[name, { value: entry.value, at: { ...entry.at, path: keyOf(name) } }]];
}

function givenText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function problemOf(
  issue: z.core.$ZodIssue,
  given: ReadonlyMap<string, Given>,
  missing: (name: string) => Problem,
): Problem {
  const [name = '', ...rest] = issue.path.filter((part) => typeof part !== 'symbol');
  const source = given.get(String(name));
  if (source !== undefined) return { ...source.at, path: source.at.path + below(rest), message: issue.message };
  const { message, ...place } = missing(String(name));
  return { ...place, message: issue.code === 'invalid_type' ? message : issue.message };
}

/** Zod's own words for a wrong type speak of "input"; undefined keeps its words for everything else. */
function wrongType(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'invalid_type') return undefined;
  return `must be ${issue.expected === 'string' ? 'text' : `a value of type ${issue.expected}`}`;
}

function below(rest: Path): string {
  const text = formatPath(rest);
  return text === '' || text.startsWith('[') ? text : `.${text}`;
}

/** `within`: what the path of each begins with. */
export function unknownKeys(names: readonly string[], values: FileValues['values'], within: string = ''): Problem[] {
  const known = new Set(names.map(keyOf));
  return [...values].flatMap(([key, { at }]) =>
    known.has(key)
      ? []
      : [{ ...at, path: within + key, message: `is no setting; there are ${[...known].sort().join(', ')}` }],
  );
}

export function unknownFlags(names: readonly string[], flags: Readonly<Record<string, unknown>>): Problem[] {
  return Object.keys(flags)
    .filter((name) => flags[name] !== undefined && name !== 'config' && !names.includes(name))
    .map((name) => ({ path: flagOf(name), message: 'is no setting' }));
}
