import { expect } from 'chai';
import { cookieValue, queryParameter } from '../../../routing/request.ts';

describe('a query parameter', () => {
  for (const { name, query, want } of [
    { name: 'is found among others', query: 'x=1&q=2&y=3', want: '2' },
    { name: 'counts by its first occurrence', query: 'q=1&q=2', want: '1' },
    { name: 'is percent-decoded', query: 'q=a%20b%26c', want: 'a b&c' },
    { name: 'is found under a percent-encoded name', query: '%71=1', want: '1' },
    { name: 'is empty without a value', query: 'a=1&q', want: '' },
    { name: 'is empty with an empty value', query: 'q=&a=1', want: '' },
    { name: 'keeps what stands behind its first "="', query: 'q=a=b', want: 'a=b' },
    { name: 'stays as it is when it is badly encoded', query: 'q=100%', want: '100%' },
    { name: 'is not there in an empty query', query: '', want: undefined },
    { name: 'is not there when only a longer name is', query: 'qq=1', want: undefined },
    { name: 'is not there when it is only in a value', query: 'a=q=1', want: undefined },
  ]) {
    it(name, () => expect(queryParameter(query, 'q')).to.equal(want));
  }
});

describe('a cookie', () => {
  for (const { name, cookies, want } of [
    { name: 'is found among others', cookies: 'a=1; id=x7; b=2', want: 'x7' },
    { name: 'is found in a second Cookie header', cookies: 'a=1,id=x7', want: 'x7' },
    { name: 'is found without spaces', cookies: 'a=1;id=x7', want: 'x7' },
    { name: 'is not there without a Cookie header', cookies: undefined, want: undefined },
    { name: 'is not there when only a longer name is', cookies: 'xid=1; idx=2', want: undefined },
    { name: 'is not there without a "="', cookies: 'id', want: undefined },
  ]) {
    it(name, () => expect(cookieValue(cookies, 'id')).to.equal(want));
  }
});
