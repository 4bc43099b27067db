import { expect } from 'chai';
import type { RuleBook } from '../../../../server/rules/rule-book.ts';
import { apply, RulesWorld, refusal, service } from './rules-world.ts';

const place = (at: number) => `rules.yaml:5:${at}: spec.aliases[0]:`;

describe('an alias in an apply', () => {
  let world: RulesWorld;
  let book: RuleBook;

  beforeEach(async () => {
    world = new RulesWorld();
    book = await world.open();
    world.instances.set('shop.default', [{}]);
    world.instances.set('reviews.default', [{}]);
  });
  afterEach(() => world.close());

  const aliased = (alias: string) => service('reviews', `{ aliases: [ ${alias} ] }`);

  for (const { name, alias, want } of [
    {
      name: 'the domain of the mesh',
      alias: 'mesh.local',
      want: 'alias "mesh.local" of Service/default/reviews is the domain of the mesh itself',
    },
    {
      name: 'the full name of another service',
      alias: 'ratings.default.mesh.local',
      want:
        'alias "ratings.default.mesh.local" of Service/default/reviews is below the domain of the mesh, "mesh.local", ' +
        'where each service and instance has its own name and no other',
    },
    {
      name: 'the name of a service that has instances',
      alias: 'shop',
      want: 'alias "shop" of Service/default/reviews is the name of the service "shop.default", which has instances; remove these first',
    },
  ]) {
    it(`that is ${name} is refused`, async () => {
      expect(await refusal(apply(book, aliased(alias)))).to.deep.equal(['INVALID_DOCUMENTS', `${place(20)} ${want}`]);
    });
  }

  for (const { name, alias } of [
    { name: 'the own name', alias: 'reviews.default' },
    { name: 'the own full name', alias: 'reviews.default.mesh.local' },
    { name: 'a name of another domain', alias: 'amesh.local' },
    { name: 'the name of a service of another namespace', alias: 'shop.books' },
  ]) {
    it(`that is ${name} is accepted`, async () => {
      expect((await apply(book, aliased(alias))).warnings).to.deep.equal([]);
    });
  }

  it('that is a public domain is warned of', async () => {
    const { warnings } = await apply(book, aliased('com'));
    expect(warnings.map(({ path, message }) => `${path}: ${message}`)).to.deep.equal([
      'spec.aliases[0]: alias "com" of Service/default/reviews is a domain of the public DNS: agents answer "com" itself with the service, and not what lies below it',
    ]);
  });

  it('that stood there before is not asked about again', async () => {
    await apply(book, aliased('cart'));
    world.instances.set('cart.default', [{}]);
    expect((await apply(book, aliased('cart, other'))).warnings).to.deep.equal([]);
  });

  it('that comes back by a rollback is only warned of', async () => {
    await apply(book, aliased('cart'));
    await apply(book, service('reviews'));
    world.instances.set('cart.default', [{}]);
    const { warnings } = await book.rollback(1, { by: 'ann', message: '' });
    expect(warnings.map(({ message }) => message)).to.deep.equal([
      'alias "cart" of Service/default/reviews is the name of the service "cart.default", which has instances; remove these first',
    ]);
  });
});
