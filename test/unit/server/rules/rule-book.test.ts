import { expect } from 'chai';
import { resourceKey } from '../../../../model/resource.ts';
import type { RevisionRecord } from '../../../../model/revision.ts';
import type { RuleBook } from '../../../../server/rules/rule-book.ts';
import { apply, changesOf, idOf, policy, RulesWorld, refusal, route, service, standing } from './rules-world.ts';

describe('the rules', () => {
  let world: RulesWorld;
  let book: RuleBook;
  let told: { record: RevisionRecord; services: readonly string[] }[];

  beforeEach(async () => {
    world = new RulesWorld();
    world.instances.set('reviews.default', [{ version: 'v1' }, { version: 'v2' }]);
    told = [];
    book = await world.open(told);
  });

  afterEach(() => world.close());

  describe('an apply', () => {
    it('of several documents is one revision', async () => {
      const changed = await apply(book, service('reviews') + route('reviews', '{ subset: v1 }') + policy('reviews'));
      expect([changed.revision, changesOf(changed), changed.warnings]).to.deep.equal([
        1,
        ['created Route/default/reviews', 'created Service/default/reviews', 'created TrafficPolicy/default/reviews'],
        [],
      ]);
      expect(standing(book)).to.deep.equal({
        'Route/default/reviews': 1,
        'Service/default/reviews': 1,
        'TrafficPolicy/default/reviews': 1,
      });
    });

    it('is recorded with who, when, why and what', async () => {
      await apply(book, service('reviews'), { by: 'ann', message: 'first' });
      const record = await book.revisionRecord(1);
      expect(record).to.deep.include({ revision: 1, at: '2026-01-01T00:00:00.000Z', by: 'ann', message: 'first' });
      expect(record && changesOf(record)).to.deep.equal(['created Service/default/reviews']);
    });

    it('changes only what differs', async () => {
      await apply(book, service('reviews') + service('ratings'));
      const changed = await apply(book, service('reviews') + service('ratings', '{ aliases: [stars] }'));
      expect(changesOf(changed)).to.deep.equal(['updated Service/default/ratings']);
      expect(standing(book)).to.deep.equal({ 'Service/default/ratings': 2, 'Service/default/reviews': 1 });
    });

    it('is told once, in order, with the services that it concerns', async () => {
      world.instances.set('ratings.default', [{}]);
      await apply(book, service('reviews'));
      await apply(book, route('reviews', '{ service: ratings }'));
      await apply(book, service('ratings', '{ aliases: [stars] }'));
      expect(told.map(({ record, services }) => [record.revision, services])).to.deep.equal([
        [1, ['reviews.default']],
        [2, ['ratings.default', 'reviews.default']],
        // Whoever sends to a service looks at its ports.
        [3, ['ratings.default', 'reviews.default']],
      ]);
    });

    it('without documents is refused', async () => {
      expect(await refusal(apply(book, ''))).to.deep.equal(['NO_DOCUMENTS']);
    });

    it('that is refused changes nothing, though other documents in it are faultless', async () => {
      const text = service('ratings') + route('reviews', '{ subset: v9 }');
      expect((await refusal(apply(book, text)))[0]).to.equal('INVALID_DOCUMENTS');
      expect([book.revision, standing(book), told]).to.deep.equal([0, {}, []]);
    });

    it('that the store does not take is refused with STORE_READ_ONLY, and nothing changes', async () => {
      await apply(book, service('reviews'));
      world.shared.failure = 'the disk is full';
      expect(await refusal(apply(book, service('ratings')))).to.deep.equal(['STORE_READ_ONLY']);
      expect([book.revision, standing(book)]).to.deep.equal([1, { 'Service/default/reviews': 1 }]);
      world.shared.failure = undefined;
      expect((await apply(book, service('ratings'))).revision).to.equal(2);
    });
  });

  describe('an identical apply', () => {
    beforeEach(async () => {
      await apply(book, service('reviews', '{ aliases: [a.b, c.d] }'));
      await apply(book, service('ratings'));
      await apply(book, service('details'));
    });

    for (const { name, text, want } of [
      { name: 'makes no revision, and answers the last one of its resources', text: service('ratings'), want: 2 },
      {
        name: 'answers the newest of several',
        text: service('reviews', '{ aliases: [a.b, c.d] }') + service('ratings'),
        want: 2,
      },
      {
        name: 'is one also when fields stand in another order or defaults are spelt out',
        text: service('reviews', '{ hops: both, aliases: [a.b, c.d], ports: [ { port: 80, name: http } ] }'),
        want: 1,
      },
    ]) {
      it(name, async () => {
        const { revision, changes } = await apply(book, text);
        expect([revision, changes, book.revision]).to.deep.equal([want, [], 3]);
      });
    }

    it('is no identical one when something is pruned', async () => {
      await apply(book, service('old', '{}', '{ team: books }'));
      const changed = await apply(book, service('ratings'), { prune: { team: 'books' } });
      expect([changed.revision, changesOf(changed)]).to.deep.equal([5, ['deleted Service/default/old']]);
    });
  });

  describe('a dry run', () => {
    it('says what would change, and changes nothing', async () => {
      await apply(book, service('reviews'));
      const changed = await apply(book, service('ratings'), { dryRun: true, delete: ['Service/default/reviews'] });
      expect([changed.revision, changesOf(changed)]).to.deep.equal([
        1,
        ['created Service/default/ratings', 'deleted Service/default/reviews'],
      ]);
      expect([book.revision, standing(book)]).to.deep.equal([1, { 'Service/default/reviews': 1 }]);
    });

    it('is refused like the apply itself', async () => {
      expect((await refusal(apply(book, route('none', '{}'), { dryRun: true })))[0]).to.equal('INVALID_DOCUMENTS');
    });

    it('checks If-Match like the apply itself', async () => {
      expect(await refusal(apply(book, service('reviews'), { dryRun: true, ifRevision: 7 }))).to.deep.equal([
        'REVISION_CONFLICT',
      ]);
    });
  });

  describe('If-Match', () => {
    beforeEach(async () => {
      await apply(book, service('reviews'));
      await apply(book, service('ratings'));
    });

    for (const { name, options, want } of [
      { name: 'of an apply takes the newest revision of all', options: { ifRevision: 2 }, want: 3 },
      { name: 'of a PUT takes the last revision of the one resource', options: { ifResourceRevision: 1 }, want: 3 },
    ]) {
      it(name, async () => {
        expect((await apply(book, service('reviews', '{ aliases: [x.y] }'), options)).revision).to.equal(want);
      });
    }

    for (const { name, options, text, code } of [
      {
        name: 'of an apply refuses an older revision',
        options: { ifRevision: 1 },
        text: service('reviews', '{ aliases: [x.y] }'),
        code: 'REVISION_CONFLICT',
      },
      {
        name: 'of an apply refuses an older revision even if nothing would change',
        options: { ifRevision: 1 },
        text: service('reviews'),
        code: 'REVISION_CONFLICT',
      },
      {
        name: 'of a PUT refuses another revision of the resource',
        options: { ifResourceRevision: 2 },
        text: service('reviews', '{ aliases: [x.y] }'),
        code: 'ETAG_CONFLICT',
      },
      {
        name: '0 of a PUT refuses a resource that is there',
        options: { ifResourceRevision: 0 },
        text: service('reviews', '{ aliases: [x.y] }'),
        code: 'ETAG_CONFLICT',
      },
      {
        name: 'of a DELETE refuses another revision of the resource',
        options: { ifResourceRevision: 2, delete: ['Service/default/reviews'] },
        text: '',
        code: 'ETAG_CONFLICT',
      },
    ]) {
      it(name, async () => {
        expect(await refusal(apply(book, text, options))).to.deep.equal([code]);
        expect(book.revision).to.equal(2);
      });
    }

    it('0 of a PUT takes a resource that is not there', async () => {
      expect((await apply(book, service('details'), { ifResourceRevision: 0 })).revision).to.equal(3);
    });

    it('is not satisfied by chance: of two that saw the same revision one is refused', async () => {
      const answers = await Promise.all([
        refusal(apply(book, service('a'), { ifRevision: 2 })),
        refusal(apply(book, service('b'), { ifRevision: 2 })),
      ]);
      expect(answers).to.have.deep.members([['it was accepted'], ['REVISION_CONFLICT']]);
    });
  });

  describe('prune', () => {
    const labelled = (name: string, labels: string) => service(name, '{}', labels);

    beforeEach(() =>
      apply(
        book,
        labelled('a', '{ team: books, tier: front }') +
          labelled('b', '{ team: books }') +
          labelled('c', '{ team: cars }'),
      ),
    );

    for (const { name, put, prune, want } of [
      { name: 'deletes what has the label and is not applied', put: 'd', prune: { team: 'books' }, want: ['a', 'b'] },
      { name: 'keeps what is applied', put: 'a', prune: { team: 'books' }, want: ['b'] },
      { name: 'needs all labels', put: 'd', prune: { team: 'books', tier: 'front' }, want: ['a'] },
      { name: 'deletes nothing when nothing has the label', put: 'd', prune: { team: 'none' }, want: [] },
      { name: 'is not misled by what every object has', put: 'd', prune: { constructor: 'x' }, want: [] },
    ]) {
      it(name, async () => {
        const { changes } = await apply(book, labelled(put, '{ team: books, tier: front }'), { prune });
        expect(changes.filter(({ action }) => action === 'deleted').map(({ name }) => name)).to.deep.equal(want);
      });
    }

    it('of a service that rules still name is refused, and nothing changes', async () => {
      world.instances.set('a.default', [{}]);
      await apply(book, route('a', '{}'));
      expect(await refusal(apply(book, labelled('d', '{}'), { prune: { team: 'books' } }))).to.deep.equal([
        'INVALID_DOCUMENTS',
        'Service/default/a: service "a.default" cannot be deleted: Route/default/a still name it; delete or change these first',
      ]);
      expect(book.revision).to.equal(2);
    });
  });

  describe('conflicts', () => {
    it('between new and old rules are refused at the place of the new one, naming both', async () => {
      await apply(book, route('reviews', '{ subset: v1 }'));
      expect(await refusal(apply(book, route('reviews', '{ subset: v2 }', { name: 'other' })))).to.deep.equal([
        'INVALID_DOCUMENTS',
        'rules.yaml:5:18: spec.service: Route/default/other and Route/default/reviews both govern port "http" of service "reviews.default"; a port has one Route',
      ]);
    });

    it('within one apply are refused', async () => {
      const text = policy('reviews') + policy('reviews', { name: 'another' });
      expect(await refusal(apply(book, text))).to.deep.equal([
        'INVALID_DOCUMENTS',
        'rules.yaml:10:18: spec.service: TrafficPolicy/default/another and TrafficPolicy/default/reviews are both for service "reviews.default"; a target has one TrafficPolicy',
      ]);
    });

    it('are none when the old rule goes in the same apply', async () => {
      await apply(book, route('reviews', '{ subset: v1 }'));
      const changed = await apply(book, route('reviews', '{ subset: v2 }', { name: 'other' }), {
        delete: ['Route/default/reviews'],
      });
      expect(changesOf(changed)).to.deep.equal(['created Route/default/other', 'deleted Route/default/reviews']);
    });

    it('come all at once, with the other faults', async () => {
      await apply(book, route('reviews', '{ subset: v1 }') + policy('reviews'));
      const text = route('reviews', '{ subset: v7 }', { name: 'other' }) + policy('reviews', { name: 'another' });
      expect(await refusal(apply(book, text))).to.have.length(1 + 3);
    });
  });

  describe('a backend', () => {
    const empty = (what: string, place: string) =>
      `${place}: ${what} has no instance, its requests would fail; start one first, or set spec.allowEmpty: true`;

    for (const { name, backends, want } of [
      {
        name: 'whose subset has no instance is refused',
        backends: '{ subset: v1 }, { subset: v3 }',
        want: [
          'INVALID_DOCUMENTS',
          empty('subset "v3" of service "reviews.default"', 'rules.yaml:5:79: spec.rules[0].backends[1]'),
        ],
      },
      {
        name: 'whose service has no instance is refused',
        backends: '{ service: nobody }',
        want: ['INVALID_DOCUMENTS', empty('service "nobody.default"', 'rules.yaml:5:63: spec.rules[0].backends[0]')],
      },
      {
        name: 'without instance but with weight 0 is accepted',
        backends: '{ subset: v1 }, { subset: v3, weight: 0 }',
        want: ['it was accepted'],
      },
    ]) {
      it(name, async () => expect(await refusal(apply(book, route('reviews', backends)))).to.deep.equal(want));
    }

    it('without instance is a warning when allowEmpty stands in the document', async () => {
      const { revision, warnings } = await apply(
        book,
        route('reviews', '{ subset: v3 }', { more: ', allowEmpty: true' }),
      );
      expect([revision, warnings.map(({ message }) => message.slice(0, 58))]).to.deep.equal([
        1,
        ['subset "v3" of service "reviews.default" has no instance, '],
      ]);
    });

    it('is looked at only in a document that changes: what was accepted stays accepted', async () => {
      await apply(book, route('reviews', '{ subset: v1 }'));
      world.instances.clear();
      expect((await apply(book, service('reviews'))).revision).to.equal(2);
      expect((await apply(book, route('reviews', '{ subset: v1 }'))).revision).to.equal(1);
    });

    it('with a declared subset has an instance when one carries its labels', async () => {
      world.instances.set('reviews.default', [{ colour: 'red' }]);
      const declared = service('reviews', '{ subsets: [ { name: v1, labels: { colour: red } } ] }');
      expect(await refusal(apply(book, declared + route('reviews', '{ subset: v1 }')))).to.deep.equal([
        'it was accepted',
      ]);
      expect((await refusal(apply(book, declared + route('reviews', '{ subset: red }'))))[0]).to.equal(
        'INVALID_DOCUMENTS',
      );
    });
  });

  describe('deleting a service', () => {
    it('that rules still name is refused, naming them', async () => {
      world.instances.set('ratings.default', [{}]);
      await apply(book, service('ratings') + route('reviews', '{ service: ratings }') + policy('ratings'));
      expect(await refusal(apply(book, '', { delete: ['Service/default/ratings'] }))).to.deep.equal([
        'INVALID_DOCUMENTS',
        'Service/default/ratings: service "ratings.default" cannot be deleted: Route/default/reviews, TrafficPolicy/default/ratings still name it; delete or change these first',
      ]);
    });

    it('together with the rules that name it is accepted', async () => {
      await apply(book, service('reviews') + route('reviews', '{ subset: v1 }'));
      const changed = await apply(book, '', { delete: ['Service/default/reviews', 'Route/default/reviews'] });
      expect([changed.revision, standing(book)]).to.deep.equal([2, {}]);
    });

    it('that is not there changes nothing', async () => {
      await apply(book, service('reviews'));
      expect((await apply(book, '', { delete: ['Service/default/none'] })).changes).to.deep.equal([]);
      expect(book.revision).to.equal(1);
    });
  });

  describe('removing a port', () => {
    const warning = (port: number, name: string, clients: string) =>
      `port ${port} ("${name}") is removed while ${clients} may be using it; it is kept as long as agents or gRPC clients ask for the service`;

    for (const { name, before, after, subscribers, want } of [
      {
        name: 'that somebody subscribes to warns',
        before: '{ ports: [ { name: a, port: 1 }, { name: b, port: 2 } ] }',
        after: '{ ports: [ { name: a, port: 1 } ] }',
        subscribers: 2,
        want: [warning(2, 'b', '2 clients')],
      },
      {
        name: 'by giving it another number warns',
        before: '{ ports: [ { name: a, port: 1 } ] }',
        after: '{ ports: [ { name: a, port: 3 } ] }',
        subscribers: 1,
        want: [warning(1, 'a', '1 client')],
      },
      {
        name: 'that nobody subscribes to does not warn',
        before: '{ ports: [ { name: a, port: 1 }, { name: b, port: 2 } ] }',
        after: '{ ports: [ { name: a, port: 1 } ] }',
        subscribers: 0,
        want: [],
      },
      {
        name: 'only by name does not warn: callers say the number',
        before: '{ ports: [ { name: a, port: 1 } ] }',
        after: '{ ports: [ { name: z, port: 1 } ] }',
        subscribers: 1,
        want: [],
      },
    ]) {
      it(name, async () => {
        await apply(book, service('reviews', before));
        world.subscribers.set('reviews.default', subscribers);
        const { warnings } = await apply(book, service('reviews', after));
        expect(warnings.map(({ message }) => message)).to.deep.equal(want);
      });
    }

    it('that the service had without a document warns', async () => {
      world.subscribers.set('reviews.default', 1);
      const { warnings } = await apply(book, service('reviews', '{ ports: [ { name: web, port: 9080 } ] }'));
      expect(warnings.map(({ message }) => message)).to.deep.equal([warning(80, 'http', '1 client')]);
    });

    it('by deleting the document warns, but not of the port that every service has', async () => {
      await apply(book, service('reviews', '{ ports: [ { name: http, port: 80 }, { name: b, port: 2 } ] }'));
      world.subscribers.set('reviews.default', 1);
      const { warnings } = await apply(book, '', { delete: ['Service/default/reviews'] });
      expect(warnings.map(({ message }) => message)).to.deep.equal([warning(2, 'b', '1 client')]);
    });
  });

  describe('history', () => {
    beforeEach(async () => {
      await apply(book, service('a'));
      await apply(book, service('b') + service('a', '{ aliases: [x.y] }'));
      await apply(book, '', { delete: ['Service/default/a'] });
      await apply(book, service('a', '{ aliases: [x.z] }') + service('c'));
    });

    for (const { at, want } of [
      { at: 0, want: [] },
      { at: 1, want: ['a []'] },
      { at: 2, want: ['a [x.y]', 'b []'] },
      { at: 3, want: ['b []'] },
      { at: 4, want: ['a [x.z]', 'b []', 'c []'] },
    ]) {
      it(`knows how the documents stood at revision ${at}`, async () => {
        const documents = await book.resourcesAt(at);
        const described = documents.map((resource) =>
          resource.kind === 'Service' ? `${resource.metadata.name} [${resource.spec.aliases}]` : resourceKey(resource),
        );
        expect(described).to.deep.equal(want);
      });
    }

    for (const revision of [5, -1, 1.5, Number.NaN]) {
      it(`has no revision ${revision}`, async () => {
        expect(await refusal(book.resourcesAt(revision))).to.deep.equal(['REVISION_NOT_FOUND']);
        expect(await refusal(book.rollback(revision, { by: 'ann', message: '' }))).to.deep.equal([
          'REVISION_NOT_FOUND',
        ]);
      });
    }

    it('walks back over more revisions than a page has, and over holes', async () => {
      await world.shared.open().append({ revision: 500, at: '', by: '', message: '', changes: [] }, 4);
      book = await world.open();
      for (let n = 0; n < 230; n++) await apply(book, service('b', `{ aliases: [n${n}.x] }`));
      expect((await book.resourcesAt(2)).map((resource) => resource.metadata.name)).to.deep.equal(['a', 'b']);
      expect(await refusal(book.resourcesAt(100))).to.deep.equal(['REVISION_NOT_FOUND']);
      const [, b] = await book.resourcesAt(600);
      expect(b?.kind === 'Service' && b.spec.aliases).to.deep.equal(['n99.x']);
    });
  });

  describe('a rollback', () => {
    const author = { by: 'bob', message: '' };

    it('to any revision brings back the documents as they stood, as a new revision', async () => {
      await apply(book, service('a'));
      await apply(book, service('b') + service('a', '{ aliases: [x.y] }'));
      await apply(book, service('c'), { delete: ['Service/default/a'] });
      for (const revision of [2, 0, 3, 1]) {
        const wanted = await book.resourcesAt(revision);
        await book.rollback(revision, author);
        expect(await book.resourcesAt(book.revision)).to.deep.equal(wanted);
      }
      expect(book.revision).to.equal(7);
    });

    for (const { message, want } of [
      { message: '', want: 'rollback to revision 0' },
      { message: 'it was better', want: 'it was better' },
    ]) {
      it(`is recorded with who and why: "${want}"`, async () => {
        await apply(book, service('a'));
        await book.rollback(0, { by: 'bob', message });
        expect(await book.revisionRecord(2)).to.deep.include({ by: 'bob', message: want });
      });
    }

    it('to how things stand makes no revision', async () => {
      await apply(book, service('a'));
      expect((await book.rollback(1, author)).changes).to.deep.equal([]);
      expect(book.revision).to.equal(1);
    });

    it('only warns of backends that have no instance any more, naming the document', async () => {
      await apply(book, route('reviews', '{ subset: v1 }'));
      await apply(book, route('reviews', '{ subset: v2 }'));
      world.instances.clear();
      const { revision, warnings } = await book.rollback(1, author);
      expect([revision, warnings]).to.deep.equal([
        3,
        [
          {
            path: 'Route/default/reviews: spec.rules[0].backends[0]',
            message:
              'subset "v1" of service "reviews.default" has no instance, its requests would fail; start one first, or set spec.allowEmpty: true',
          },
        ],
      ]);
    });

    it('to rules that name a service without a document is accepted, as they were then', async () => {
      await apply(book, route('reviews', '{ subset: v1 }'));
      await apply(book, service('reviews', '{ aliases: [x.y] }'));
      const changed = await book.rollback(1, author);
      expect(changesOf(changed)).to.deep.equal(['deleted Service/default/reviews']);
    });

    it('warns of ports that it removes while somebody subscribes to them', async () => {
      await apply(book, service('reviews'));
      await apply(book, service('reviews', '{ ports: [ { name: http, port: 80 }, { name: b, port: 2 } ] }'));
      world.subscribers.set('reviews.default', 3);
      expect((await book.rollback(1, author)).warnings).to.have.length(1);
    });
  });

  describe('at the same time', () => {
    it('all applies land, one after the other, and none is lost', async () => {
      const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
      const answers = await Promise.all(names.map((name) => apply(book, service(name))));
      const revisions = answers.map(({ revision }) => revision);
      expect([...revisions].sort((a, b) => a - b)).to.deep.equal(names.map((_, n) => n + 1));
      expect(Object.keys(standing(book))).to.have.length(20);
      expect(told.map(({ record }) => record.revision)).to.deep.equal(names.map((_, n) => n + 1));
      for (const [n, { revision }] of answers.entries()) {
        expect((await book.revisionRecord(revision))?.changes[0]?.name).to.equal(`s${n}`);
      }
    });

    it('applies that fit each other alone are refused when they no longer do', async () => {
      const answers = await Promise.all([
        refusal(apply(book, route('reviews', '{ subset: v1 }', { name: 'mine' }))),
        refusal(apply(book, route('reviews', '{ subset: v2 }', { name: 'yours' }))),
      ]);
      expect(answers.map(([code]) => code)).to.have.members(['it was accepted', 'INVALID_DOCUMENTS']);
    });
  });

  describe('that this server is asked to change by several at once', () => {
    it('are changed in the order of the calls, however long the store takes, also by callers that come again at once', async () => {
      let appends = 0;
      world.onTheWay = async () => {
        const isSlow = appends++ % 3 === 0;
        for (let turn = 0; isSlow && turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      };
      const calls: string[] = [];
      const caller = async (name: string) => {
        for (let n = 0; n < 5; n++) {
          calls.push(`${name} [${name}-${n}.x]`);
          await apply(book, service(name, `{ aliases: [${name}-${n}.x] }`));
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, n) => caller(`s${n}`)));
      const landed = told.flatMap(({ record }) =>
        record.changes.map(({ name, after }) => `${name} [${after?.kind === 'Service' && after.spec.aliases}]`),
      );
      expect(landed).to.deep.equal(calls);
    });

    it('are judged, conditions included, when their turn comes', async () => {
      const answers = await Promise.all([
        refusal(apply(book, service('a'), { ifRevision: 0 })),
        refusal(apply(book, service('b'), { ifRevision: 0 })),
        refusal(apply(book, service('c'), { ifRevision: 1 })),
        refusal(apply(book, service('c', '{ aliases: [c.x] }'), { ifResourceRevision: 2 })),
      ]);
      expect(answers.map(([code]) => code)).to.deep.equal([
        'it was accepted',
        'REVISION_CONFLICT',
        'it was accepted',
        'it was accepted',
      ]);
    });

    it('go on after a change that was refused, and after one that the disk did not take', async () => {
      const refused = refusal(apply(book, policy('reviews', { subset: 'none' }), { ifRevision: 7 }));
      const followed = apply(book, service('a'));
      expect([await refused, (await followed).revision]).to.deep.equal([['REVISION_CONFLICT'], 1]);
      world.shared.failure = 'the disk is full';
      const lost = refusal(apply(book, service('b'))).finally(() => {
        world.shared.failure = undefined;
      });
      const kept = apply(book, service('c'));
      expect([await lost, (await kept).revision]).to.deep.equal([['STORE_READ_ONLY'], 2]);
    });

    it('answer a dry run at once, whatever is under way', async () => {
      const order: string[] = [];
      await Promise.all([
        apply(book, service('a')).then(() => order.push('applied')),
        book.rollback(0, { by: 'bob', message: '' }).then(() => order.push('rolled back')),
        apply(book, service('b'), { dryRun: true }).then(({ revision }) => order.push(`tried at ${revision}`)),
      ]);
      expect(order).to.deep.equal(['tried at 0', 'applied', 'rolled back']);
    });
  });

  describe('of two servers on one store', () => {
    let other: RuleBook;

    beforeEach(async () => {
      other = await world.open();
    });

    it('are the same, whichever accepted them', async () => {
      await apply(book, service('a'));
      await apply(other, service('b'));
      await apply(book, service('c'));
      await apply(other, service('d'));
      expect(standing(other))
        .to.deep.equal(standing(book))
        .and.have.keys(['Service/default/a', 'Service/default/b', 'Service/default/c', 'Service/default/d']);
    });

    it('lose nothing when both accept at the same time', async () => {
      const names = Array.from({ length: 30 }, (_, n) => `s${n}`);
      await Promise.all(names.map((name, n) => apply(n % 2 === 0 ? book : other, service(name))));
      const last = await apply(book, service('last'));
      await apply(other, service('last'));
      expect(last.revision).to.equal(31);
      expect(standing(other)).to.deep.equal(standing(book));
      expect(Object.keys(standing(book))).to.have.length(31);
    });

    it('judge a change by what is in force when it lands, also when the other was faster', async () => {
      const answers = await Promise.all([
        refusal(apply(book, policy('reviews', { name: 'mine' }))),
        refusal(apply(other, policy('reviews', { name: 'yours' }))),
      ]);
      expect(answers.map(([code]) => code)).to.have.members(['it was accepted', 'INVALID_DOCUMENTS']);
    });

    it('answer an apply when it is in force at the server that was asked', async () => {
      await apply(book, service('a'));
      await apply(other, service('b'));
      expect(other.get(idOf('Service/default/a'))?.revision).to.equal(1);
      expect(other.get(idOf('Service/default/b'))?.revision).to.equal(2);
    });
  });

  it('go on after a gap with what the store has, and answer who was waiting', async () => {
    const store = world.shared.open();
    const waiting = apply(book, service('a'));
    // The watch of this server has broken off: nothing is told any more.
    world.close();
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    const { revision, resources } = await store.load();
    book.restore(revision, resources);
    expect((await waiting).revision).to.equal(1);
    expect(standing(book)).to.deep.equal({ 'Service/default/a': 1 });
  });
});
