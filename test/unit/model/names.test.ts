import { expect } from 'chai';
import { dnsLabel, dnsName, labels } from '../../../model/name-schemas.ts';
import {
  aliasName,
  clusterName,
  isDnsName,
  parseClusterName,
  parseServiceKey,
  routeConfigurationName,
  serviceKey,
} from '../../../model/names.ts';
import { parseValue } from '../../../model/parse.ts';

describe('names', () => {
  for (const name of ['a', 'v1', 'reviews-canary', '0', 'a'.repeat(63)]) {
    it(`${name.slice(0, 20)} is a DNS label`, () => expect(parseValue(dnsLabel, name).ok).to.equal(true));
  }
  for (const name of ['', 'A', 'a.b', '-a', 'a-', 'a_b', 'ä', 'a b', 'a\n', 'a'.repeat(64)]) {
    it(`${JSON.stringify(name.slice(0, 20))} is no DNS label`, () => {
      expect(parseValue(dnsLabel, name)).to.have.nested.property('faults[0].message').that.includes('DNS label');
    });
  }

  it('keeps a DNS name in lower case', () => {
    const parsed = parseValue(dnsName, 'com.example.reviews.ReviewFacade');
    expect(parsed).to.deep.equal({ ok: true, value: 'com.example.reviews.reviewfacade' });
  });
  for (const name of ['', '.', 'a..b', 'a.', '.a', 'a_b.c', '10.0.0.1', 'a.7', `${'a.'.repeat(127)}aa`, 'a:80']) {
    it(`${JSON.stringify(name.slice(0, 20))} is no DNS name`, () => {
      expect(parseValue(dnsName, name)).to.have.nested.property('faults.length', 1);
    });
  }
  it('tells a DNS name in lower case from other text', () => {
    expect(['reviews.default', 'a', 'A', 'a..b', ''].map(isDnsName)).to.deep.equal([true, true, false, false, false]);
  });

  for (const [key, value] of [
    ['team', 'books'],
    ['app.kubernetes.io/name', 'reviews_1.0'],
    ['Version', ''],
  ] as const) {
    it(`${key}: ${value} is a label`, () => expect(parseValue(labels, { [key]: value }).ok).to.equal(true));
  }
  for (const [key, value] of [
    ['', 'x'],
    ['/x', 'x'],
    ['a/b/c', 'x'],
    ['-a', 'x'],
    ['a', '-x'],
    ['a', 'x y'],
    ['a'.repeat(64), 'x'],
    ['a', 'x'.repeat(64)],
    ['a', 1],
  ] as const) {
    it(`${key.slice(0, 10)}: ${String(value).slice(0, 10)} is no label`, () => {
      expect(parseValue(labels, { [key]: value })).to.have.nested.property('faults.length', 1);
    });
  }

  it('puts a service and its namespace into one key and takes it apart', () => {
    expect(serviceKey('default', 'reviews')).to.equal('reviews.default');
    expect(parseServiceKey('reviews.default')).to.deep.equal({ namespace: 'default', name: 'reviews' });
  });
  for (const key of ['reviews', 'reviews.default.mesh', '.default', 'reviews.', 'Reviews.default', '']) {
    it(`"${key}" is no service key`, () => expect(parseServiceKey(key)).to.equal(undefined));
  }

  for (const [ref, name] of [
    [{ service: 'reviews', namespace: 'default', port: 'http', subset: 'v1' }, 'reviews.default|http|v1'],
    [{ service: 'reviews', namespace: 'default', port: 'http', subset: '' }, 'reviews.default|http|'],
  ] as const) {
    it(`${name} names a cluster and is taken apart again`, () => {
      expect(clusterName(ref)).to.equal(name);
      expect(parseClusterName(name)).to.deep.equal(ref);
    });
  }
  for (const name of [
    '',
    'reviews.default',
    'reviews.default|http',
    'reviews|http|v1',
    'a.b||v1',
    'a.b|c|d|e',
    'a.b|c|D',
  ]) {
    it(`"${name}" is no cluster name`, () => expect(parseClusterName(name)).to.equal(undefined));
  }

  it('names a route configuration by service and port number', () => {
    const name = routeConfigurationName({ service: 'reviews', namespace: 'default', portNumber: 9080 });
    expect(name).to.equal('reviews.default:9080');
  });

  it('takes an alias without a dot for a name in the namespace of its service', () => {
    expect(aliasName('books', 'old-reviews')).to.equal('old-reviews.books');
    expect(aliasName('books', 'com.example.reviews')).to.equal('com.example.reviews');
  });
});
