import { expect } from 'chai';
import { rulesInView, servicesOfRedirects } from '../../../../agent/view/rules-in-view.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources, viewOf } from './resources.ts';

describe('the rules of a view', () => {
  const v1 = 'reviews.default|http|v1';
  const old = { name: 'shop/old', match: { prefix: '/old' }, redirect: { hostRedirect: 'new.example' } };
  const of = (service: string) =>
    viewOf(serviceResources({ service, routes: [old, route('shop/all', { cluster: v1 })], clusters: { [v1]: [] } }));
  const view = of('reviews.default');

  it('name the clusters that each can send a request to', () =>
    expect(rulesInView(view)).to.deep.equal(
      new Map([
        ['shop/old', new Set([''])],
        ['shop/all', new Set([v1])],
      ]),
    ));

  it('name the service of a redirect', () =>
    expect(servicesOfRedirects(view)).to.deep.equal(new Map([['shop/old', 'reviews.default']])));

  it('name no service of a redirect that could be of two', () => {
    const routeTables = new Map([...view.routeTables, ...of('reviews.other').routeTables]);
    expect(servicesOfRedirects({ routeTables })).to.deep.equal(new Map([['shop/old', '']]));
  });
});
