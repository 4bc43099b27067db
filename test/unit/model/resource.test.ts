import { expect } from 'chai';
import { canonicalJson, parseResourceKey, type Resource, resourceKey } from '../../../model/resource.ts';
import { resourcesIn, routeWith, service } from './reading.ts';

const canonical = (document: object) => resourcesIn(JSON.stringify(document)).map(canonicalJson).join();

describe('a resource', () => {
  it('has a key of kind, namespace and name, which can be taken apart', () => {
    const [resource] = resourcesIn(JSON.stringify(service()));
    expect(resourceKey(resource as Resource)).to.equal('Service/default/reviews'); // resourcesIn throws for none
    expect(parseResourceKey('Service/default/reviews')).to.deep.equal({
      kind: 'Service',
      namespace: 'default',
      name: 'reviews',
    });
  });
  for (const key of ['', 'Service', 'Service/default', 'service/default/a', 'Service//a', 'Service/default/a/b']) {
    it(`"${key}" is no key`, () => expect(parseResourceKey(key)).to.equal(undefined));
  }

  for (const { name, one, other } of [
    {
      name: 'a duration in another unit',
      one: routeWith({ timeout: '2s' }),
      other: routeWith({ timeout: '2000ms' }),
    },
    { name: 'a default that is written out', one: routeWith({}), other: routeWith({ match: [] }) },
    {
      name: 'a weight of 1 that is written out',
      one: routeWith({}),
      other: routeWith({ backends: [{ weight: 1, subset: 'v1' }] }),
    },
    {
      name: 'its own service as backend',
      one: routeWith({}),
      other: routeWith({ backends: [{ service: 'reviews', subset: 'v1' }] }),
    },
    {
      name: 'a header in another case',
      one: routeWith({ match: [{ headers: { 'X-A': { exact: '1' } } }] }),
      other: routeWith({ match: [{ headers: { 'x-a': { exact: '1' } } }] }),
    },
    {
      name: 'a prefix with a slash at its end',
      one: routeWith({ match: [{ path: { prefix: '/a' } }] }),
      other: routeWith({ match: [{ path: { prefix: '/a/' } }] }),
    },
    { name: 'the default port', one: service(), other: service({ ports: [{ port: 80, name: 'http' }] }) },
    { name: 'an alias in another case', one: service({ aliases: ['a.B'] }), other: service({ aliases: ['A.b'] }) },
  ]) {
    it(`says the same with ${name}`, () => expect(canonical(other)).to.equal(canonical(one)));
  }

  for (const { name, one, other } of [
    {
      name: 'other weights',
      one: routeWith({ backends: [{ weight: 1 }] }),
      other: routeWith({ backends: [{ weight: 2 }] }),
    },
    {
      name: 'another order of matches',
      one: routeWith({ match: [{ method: 'GET' }, { method: 'PUT' }] }),
      other: routeWith({ match: [{ method: 'PUT' }, { method: 'GET' }] }),
    },
    {
      name: 'an exact path instead of a prefix',
      one: routeWith({ match: [{ path: { exact: '/a/' } }] }),
      other: routeWith({ match: [{ path: { exact: '/a' } }] }),
    },
  ]) {
    it(`says something else with ${name}`, () => expect(canonical(other)).to.not.equal(canonical(one)));
  }
});
