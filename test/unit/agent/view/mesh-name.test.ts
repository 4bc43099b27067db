import { expect } from 'chai';
import { meshName, parseAuthority } from '../../../../agent/view/mesh-name.ts';

describe('the authority of a request', () => {
  for (const { text, want } of [
    { text: 'reviews', want: { host: 'reviews', port: undefined } },
    { text: 'Reviews.Default:9080', want: { host: 'reviews.default', port: 9080 } },
    { text: 'reviews:', want: { host: 'reviews', port: undefined } },
    { text: 'reviews.', want: { host: 'reviews.', port: undefined } },
    { text: 'my_service:80', want: { host: 'my_service', port: 80 } },
    { text: '127.0.0.1:15001', want: { host: '127.0.0.1', port: 15001 } },
    { text: '[::1]:80', want: { host: '::1', port: 80 } },
    { text: '[::1]', want: { host: '::1', port: undefined } },
    { text: 'reviews:65535', want: { host: 'reviews', port: 65535 } },
    { text: '', want: undefined },
    { text: ':80', want: undefined },
    { text: 'reviews:0', want: undefined },
    { text: 'reviews:65536', want: undefined },
    { text: 'reviews:http', want: undefined },
    { text: 'reviews:-1', want: undefined },
    { text: 'reviews:80:80', want: undefined },
    { text: 'user@reviews', want: undefined },
    { text: 'user:secret@reviews:80', want: undefined },
    { text: 're views', want: undefined },
    { text: 'reviews/x', want: undefined },
    { text: '::1', want: undefined },
    { text: '[reviews]', want: undefined },
    { text: '[127.0.0.1]', want: undefined },
    { text: '[::1', want: undefined },
    { text: 'a'.repeat(10_000), want: undefined },
  ]) {
    const shown = text.length > 40 ? `${text.length} characters` : JSON.stringify(text);
    it(`${shown} is ${want === undefined ? 'none' : JSON.stringify(want)}`, () =>
      expect(parseAuthority(text)).to.deep.equal(want));
  }
});

describe('the name of a host in the mesh', () => {
  for (const { host, want } of [
    { host: 'reviews', want: 'reviews.shop' },
    { host: 'reviews.default', want: 'reviews.default' },
    { host: 'REVIEWS.Default.Mesh.Local', want: 'reviews.default.mesh.local' },
    { host: 'reviews.default.', want: 'reviews.default' },
    { host: 'com.example.reviews.ReviewFacade', want: 'com.example.reviews.reviewfacade' },
    { host: '127.0.0.1', want: undefined },
    { host: '::1', want: undefined },
    { host: 'my_service', want: undefined },
    { host: 'a..b', want: undefined },
    { host: 'x'.repeat(64), want: undefined },
    { host: '%61', want: undefined },
  ]) {
    const shown = host.length > 40 ? `a label of ${host.length}` : JSON.stringify(host);
    it(`of ${shown} is ${want ?? 'none'}`, () => expect(meshName(host, 'shop')).to.equal(want));
  }
});
