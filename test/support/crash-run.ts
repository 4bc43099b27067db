/**
 * A writer that is killed again and again. After each start everything that it ever acknowledged has to be there, whole
 * and in order; what was under way when it was killed may be there, but whole as well.
 */
import { join } from 'node:path';
import { expect } from 'chai';
import type { RevisionRecord, StoredResource } from '../../model/revision.ts';
import { type Processes, top } from './processes.ts';

/** So many documents change in one apply; all of them carry its token. */
const documentsPerApply = 3;
/** A writer lives this long at most once it has said what it found. */
const longestLifeMs = 100;

interface Found {
  readonly is: 'found';
  readonly meshId: string;
  readonly revision: number;
  /** Those that were not asked about before. */
  readonly records: readonly RevisionRecord[];
  readonly resources: readonly StoredResource[];
  readonly instances: readonly string[];
}

type Said =
  | Found
  | { readonly is: 'applied'; readonly revision: number; readonly token: string }
  | { readonly is: 'changing'; readonly id: string }
  | { readonly is: 'changed'; readonly id: string; readonly isThere: boolean };

export class CrashRun {
  readonly #processes: Processes;
  readonly #dataDir: string;
  #meshId: string | undefined;
  /** Revision -> the token of its apply, as acknowledged. */
  readonly #acknowledged = new Map<number, string>();
  /** The documents as all revisions up to `#checked` leave them, by name. */
  readonly #standing = new Map<string, StoredResource>();
  #checked = 0;
  /** What was acknowledged last of each instance; undefined while a change of it is under way. */
  readonly #instances = new Map<string, boolean | undefined>();
  #changesOfInstances = 0;

  constructor(processes: Processes, name: string) {
    this.#processes = processes;
    this.#dataDir = processes.makeFolder(name);
  }

  /** How much was acknowledged so far. */
  get acknowledged(): { readonly revisions: number; readonly changesOfInstances: number } {
    return { revisions: this.#acknowledged.size, changesOfInstances: this.#changesOfInstances };
  }

  /** Starts a writer, checks what it has found, and kills it at a random moment. */
  async round(): Promise<void> {
    const program = join(top, 'test/support/crash-writer.mjs');
    const writer = this.#processes.start([process.execPath, program, this.#dataDir, String(this.#checked)]);
    const firstLine = await writer.until('say what it found', () => /^.*\n/.exec(writer.stdout)?.[0]);
    // Half of them are killed early, at their first write or before; the others have acknowledged something.
    if (Math.random() < 0.5) await writer.until('acknowledge a revision', () => /"applied"/.exec(writer.stdout)?.[0]);
    setTimeout(() => writer.signal('SIGKILL'), Math.random() * longestLifeMs);
    await writer.ended;
    this.#check(JSON.parse(firstLine));
    // The last line may be cut off: its write was under way.
    for (const line of writer.stdout.split('\n').slice(1, -1)) this.#note(JSON.parse(line));
  }

  #note(said: Said): void {
    if (said.is === 'applied') this.#acknowledged.set(said.revision, said.token);
    if (said.is === 'changing') this.#instances.set(said.id, undefined);
    if (said.is !== 'changed') return;
    this.#instances.set(said.id, said.isThere);
    this.#changesOfInstances++;
  }

  #check({ meshId, revision, records, resources, instances }: Found): void {
    this.#meshId ??= meshId;
    expect(meshId).to.equal(this.#meshId);
    const acknowledged = Math.max(0, ...this.#acknowledged.keys());
    expect(revision, 'an acknowledged revision is lost').to.be.at.least(acknowledged);
    for (const record of records) this.#replay(record);
    expect(this.#checked, 'the newest revision is not in the history').to.equal(revision);
    const found = Object.fromEntries(resources.map((stored) => [stored.resource.metadata.name, stored]));
    expect(found, 'the documents are not what the revisions leave').to.deep.equal(Object.fromEntries(this.#standing));
    for (const [id, isThere] of this.#instances) {
      expect(instances.includes(id), `instance ${id} is there`).to.equal(isThere ?? instances.includes(id));
    }
  }

  #replay({ revision, message, changes }: RevisionRecord): void {
    expect(revision, 'the history has a hole').to.equal(this.#checked + 1);
    this.#checked = revision;
    const token = this.#acknowledged.get(revision) ?? message;
    expect(message, `revision ${revision} is another than was acknowledged`).to.equal(token);
    const tokens = changes.flatMap(({ after }) => after?.metadata.labels.write ?? []);
    expect(tokens, `revision ${revision} is half there`).to.deep.equal(Array(documentsPerApply).fill(token));
    for (const { name, before, after } of changes) {
      const present = this.#standing.get(name)?.resource ?? null;
      expect(before, `revision ${revision} does not follow on the one before`).to.deep.equal(present);
      if (after === null) this.#standing.delete(name);
      else this.#standing.set(name, { resource: after, revision });
    }
  }
}
