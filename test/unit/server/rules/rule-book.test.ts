import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseDocuments } from '../../../../model/document.ts';
import { MeshError } from '../../../../model/errors.ts';
import type { ResourceId } from '../../../../model/resource.ts';
import { RuleBook, type RuleChange } from '../../../../server/rules/rule-book.ts';
import { openEmbeddedStore } from '../../../../server/store/embedded-store.ts';
import type { Store } from '../../../../server/store/store.ts';

/** Versions that have an instance; whatever is subscribed. */
interface World {
  instances: Record<string, readonly string[]>;
  subscribers: number;
}

const route = (service: string, subsets: readonly string[], more = '') => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service}, labels: { team: books } }
spec: { service: ${service}, ${more} rules: [ { backends: [ ${subsets.map((subset) => `{ subset: ${subset} }`).join()} ] } ] }
`;

const service = (name: string, spec = '') => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: ${name} }
spec: { ${spec} }
`;

const many = (...documents: string[]) => documents.join('---');
const id = (kind: ResourceId['kind'], name: string): ResourceId => ({ kind, namespace: 'default', name });

describe('the rule book', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-rules-'));
  let opened = 0;
  let store: Store;
  let world: World;
  let book: RuleBook;
  /** "revision: services", as they were told of. */
  let told: string[];

  /** A book on the store, as a server has one. */
  async function openBook(): Promise<RuleBook> {
    const opened = new RuleBook({
      store,
      wallClock: () => Date.UTC(2026, 0, 1),
      surroundings: {
        hasInstance: (key, labels) => (world.instances[key] ?? []).includes(labels.version ?? 'v1'),
        subscribers: () => world.subscribers,
      },
      onRevision: ({ revision }, services) => told.push(`${revision}: ${services.join(' ')}`),
    });
    const { revision, resources, cursor } = await store.load();
    opened.restore(revision, resources);
    store.watch(cursor, (change) => {
      if (change.is === 'revision') opened.onStored(change.record);
    });
    return opened;
  }

  beforeEach(async () => {
    store = await openEmbeddedStore(join(folder, String(opened++)));
    world = { instances: { 'reviews.default': ['v1', 'v2'], 'ratings.default': ['v1'] }, subscribers: 0 };
    told = [];
    book = await openBook();
  });

  afterEach(() => store.close());
  after(() => rmSync(folder, { recursive: true, force: true }));

  const change = (text: string, more: Partial<RuleChange> = {}, by = book) => {
    const { resources, problems } = parseDocuments([{ name: 'rules.yaml', text }]);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    return by.change({ put: resources, remove: [], by: 'ada', message: 'why', dryRun: false, ...more });
  };

  const refusal = async (changing: Promise<unknown>): Promise<MeshError> => {
    try {
      await changing;
    } catch (error) {
      if (error instanceof MeshError) return error;
      throw error;
    }
    throw new Error('it was accepted');
  };

  const inForce = () =>
    [...book.index.all()].map(({ resource }) => `${resource.kind}/${resource.metadata.name}`).sort();

  it('takes N documents as one revision, with who, when and why', async () => {
    const { revision, changes } = await change(
      many(route('reviews', ['v1']), route('ratings', ['v1']), service('web')),
    );
    expect({ revision, changes: changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`) }).to.deep.equal({
      revision: 1,
      changes: ['created Route ratings', 'created Route reviews', 'created Service web'],
    });
    expect(await book.revisions({ limit: 10 })).to.have.lengthOf(1);
    expect(await book.revisionRecord(1)).to.deep.include({ by: 'ada', message: 'why', at: '2026-01-01T00:00:00.000Z' });
    expect(told).to.deep.equal(['1: ratings.default reviews.default web.default']);
  });

  it('takes all or nothing: one fault, and no document is in force', async () => {
    const { code, problems } = await refusal(change(many(route('ratings', ['v1']), route('reviews', ['v9']))));
    expect(code).to.equal('INVALID_DOCUMENTS');
    expect(problems[0]).to.include({ file: 'rules.yaml', line: 10, path: 'spec.rules[0].backends[0]' });
    expect(inForce()).to.deep.equal([]);
    expect(book.revision).to.equal(0);
  });

  it('names all faults at once', async () => {
    const { problems } = await refusal(change(many(route('ratings', ['v8']), route('reviews', ['v9', 'v1', 'v7']))));
    expect(problems.map(({ path }) => path)).to.deep.equal([
      'spec.rules[0].backends[0]',
      'spec.rules[0].backends[0]',
      'spec.rules[0].backends[2]',
    ]);
  });

  it('makes no revision of what is so already, and answers the last revision of these documents', async () => {
    await change(route('reviews', ['v1']));
    await change(route('ratings', ['v1']));
    expect(await change(route('reviews', ['v1']))).to.deep.equal({ revision: 1, changes: [], warnings: [] });
    expect(book.revision).to.equal(2);
  });

  it('changes nothing in a dry run, but says what it would change', async () => {
    const { revision, changes } = await change(route('reviews', ['v1']), { dryRun: true });
    expect({ revision, changes: changes.length, inForce: inForce() }).to.deep.equal({
      revision: 0,
      changes: 1,
      inForce: [],
    });
  });

  it('refuses an apply without documents', async () => {
    expect((await refusal(change(''))).code).to.equal('NO_DOCUMENTS');
  });

  describe('with conditions', () => {
    it('refuses when the rules have changed since the revision that the author saw', async () => {
      await change(route('reviews', ['v1']));
      const { code, message } = await refusal(change(route('reviews', ['v2']), { ifRevision: 0 }));
      expect(code).to.equal('REVISION_CONFLICT');
      expect(message).to.contain('1');
      expect((await change(route('reviews', ['v2']), { ifRevision: 1 })).revision).to.equal(2);
    });

    it('refuses when the one document has changed, but not when another has', async () => {
      await change(route('reviews', ['v1']));
      await change(route('ratings', ['v1']));
      expect((await refusal(change(route('reviews', ['v2']), { ifResourceRevision: 2 }))).code).to.equal(
        'ETAG_CONFLICT',
      );
      expect((await change(route('reviews', ['v2']), { ifResourceRevision: 1 })).revision).to.equal(3);
    });

    it('refuses to create what exists already', async () => {
      await change(route('reviews', ['v1']));
      expect((await refusal(change(route('reviews', ['v2']), { ifResourceRevision: 0 }))).code).to.equal(
        'ETAG_CONFLICT',
      );
    });
  });

  it('prunes what carries the labels and is not among the documents', async () => {
    await change(many(route('reviews', ['v1']), route('ratings', ['v1']), service('web')));
    const { changes } = await change(route('reviews', ['v2']), { prune: { team: 'books' } });
    expect(changes.map(({ action, name }) => `${action} ${name}`)).to.deep.equal([
      'deleted ratings',
      'updated reviews',
    ]);
    expect(inForce()).to.deep.equal(['Route/reviews', 'Service/web']);
  });

  describe('keeps the safe defaults', () => {
    it('a conflict between rules is an error naming both', async () => {
      await change(route('reviews', ['v1']));
      const second = route('reviews', ['v2']).replace('name: reviews', 'name: another');
      const { problems } = await refusal(change(second));
      expect(problems.map(({ message }) => message).join())
        .to.contain('Route/default/another')
        .and.contain('Route/default/reviews');
    });

    it('a backend that nobody serves is a warning when allowEmpty stands in the document', async () => {
      const { warnings } = await change(route('reviews', ['v9'], 'allowEmpty: true,'));
      expect(warnings.map(({ message }) => message).join()).to.contain('v9');
    });

    it('a backend that nobody serves any more is no matter for a document that does not change', async () => {
      await change(route('reviews', ['v1']));
      world.instances = { 'ratings.default': ['v1'] };
      expect((await change(many(route('reviews', ['v1']), route('ratings', ['v1'])))).revision).to.equal(2);
    });

    it('a backend of weight 0 may be empty', async () => {
      const text = route('reviews', ['v1', 'v9']).replace('{ subset: v9 }', '{ subset: v9, weight: 0 }');
      expect((await change(text)).warnings).to.deep.equal([]);
    });

    it('a service that rules still name is not deleted; with its rules it is', async () => {
      await change(many(service('reviews'), route('reviews', ['v1'])));
      const remove = [id('Service', 'reviews')];
      const { problems } = await refusal(change('', { remove }));
      expect(problems[0]?.message).to.contain('Route/default/reviews');
      await change('', { remove: [...remove, id('Route', 'reviews')] });
      expect(inForce()).to.deep.equal([]);
    });

    it('removing a port that someone subscribes to warns', async () => {
      await change(service('reviews', 'ports: [ { name: http, port: 9080 } ]'));
      world.subscribers = 2;
      const { warnings } = await change(service('reviews', 'ports: [ { name: http, port: 9081 } ]'));
      expect(warnings[0]?.message).to.contain('9080').and.contain('2 agents');
      world.subscribers = 0;
      expect((await change(service('reviews', 'ports: [ { name: http, port: 9082 } ]'))).warnings).to.deep.equal([]);
    });
  });

  describe('keeps history', () => {
    beforeEach(async () => {
      await change(route('reviews', ['v1']));
      await change(many(route('reviews', ['v2']), service('web')));
      await change('', { remove: [id('Route', 'reviews')] });
    });

    const standingAt = async (revision: number) =>
      (await book.resourcesAt(revision)).map(({ kind, metadata }) => `${kind}/${metadata.name}`);

    it('and knows how the documents stood at each revision', async () => {
      expect([await standingAt(0), await standingAt(1), await standingAt(2), await standingAt(3)]).to.deep.equal([
        [],
        ['Route/reviews'],
        ['Route/reviews', 'Service/web'],
        ['Service/web'],
      ]);
    });

    it('and goes back to any of them as a new revision', async () => {
      const { revision, changes } = await book.rollback(1, { by: 'ada', message: '' });
      expect(revision).to.equal(4);
      expect(changes.map(({ action, name }) => `${action} ${name}`)).to.deep.equal(['created reviews', 'deleted web']);
      expect(await book.resourcesAt(4)).to.deep.equal(await book.resourcesAt(1));
      expect(await book.revisionRecord(4)).to.include({ message: 'rollback to revision 1' });
      await book.rollback(0, { by: 'ada', message: 'away with it' });
      expect(inForce()).to.deep.equal([]);
    });

    it('and only warns of backends without instance when it goes back', async () => {
      world.instances = {};
      const { warnings } = await book.rollback(2, { by: 'ada', message: '' });
      expect(warnings.map(({ message }) => message).join()).to.contain('v2');
    });

    it('and refuses to go to a revision that never was', async () => {
      expect((await refusal(book.rollback(9, { by: 'ada', message: '' }))).code).to.equal('REVISION_NOT_FOUND');
    });
  });

  it('takes concurrent changes one after the other: all land, none is lost', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    const done = await Promise.all(names.map((name) => change(service(name))));
    expect(done.map(({ revision }) => revision).sort((a, b) => a - b)).to.deep.equal(
      names.map((_, index) => index + 1),
    );
    expect(inForce()).to.have.lengthOf(20);
  });

  it('shares a store with another: each sees what the other wrote, and looks again when it was faster', async () => {
    const other = await openBook();
    const both = [book, other];
    await Promise.all(Array.from({ length: 20 }, (_, index) => change(service(`s${index}`), {}, both[index % 2])));
    expect(other.revision).to.equal(20);
    expect([...other.index.all()]).to.have.deep.members([...book.index.all()]);
  });
});
