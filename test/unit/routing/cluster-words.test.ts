import { expect } from 'chai';
import { clusterWords } from '../../../routing/cluster-words.ts';

describe('a cluster in the words of the rules', () => {
  for (const { cluster, want } of [
    { cluster: 'reviews.default|http|', want: 'reviews.default' },
    { cluster: 'reviews.default|http|v1', want: 'reviews.default, subset v1' },
    { cluster: 'reviews.books|admin|', want: 'reviews.books, port admin' },
    { cluster: 'reviews.books|admin|v2', want: 'reviews.books, port admin, subset v2' },
    { cluster: 'example.com:443', want: 'example.com:443' },
    { cluster: '', want: '' },
  ]) {
    it(`${cluster || 'no cluster'} is ${want || 'nothing'}`, () => expect(clusterWords(cluster)).to.equal(want));
  }
});
