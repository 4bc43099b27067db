import { expect } from 'chai';
import { readExplainBody } from '../../../../agent/admin/explain-body.ts';
import { formatProblem } from '../../../../model/problem.ts';

function read(text: string): unknown {
  const body = readExplainBody(text);
  if ('problems' in body) return body.problems.map(formatProblem);
  const { bytes, ...rest } = body.asked;
  return [bytes.toString().split('\r\n'), rest];
}

const outbound = { service: undefined, sourceAddress: '127.0.0.1' };

describe('the body of /explain', () => {
  for (const { name, body, want } of [
    {
      name: 'is a GET of / unless it says more than a host',
      body: { host: 'reviews' },
      want: [['GET / HTTP/1.1', 'host: reviews', '', ''], outbound],
    },
    {
      name: 'has method, path with query, headers and the address of the client',
      body: { method: 'PUT', host: 'a:1', path: '/x?y=1', headers: { 'X-A': '1, 2' }, sourceAddress: '::1' },
      want: [['PUT /x?y=1 HTTP/1.1', 'host: a:1', 'x-a: 1, 2', '', ''], { service: undefined, sourceAddress: '::1' }],
    },
    {
      name: 'may say the host among the headers',
      body: { headers: { Host: 'reviews' } },
      want: [['GET / HTTP/1.1', 'host: reviews', '', ''], outbound],
    },
    {
      name: 'may be of a request to an HTTP proxy, whose host stands in its URL',
      body: { path: 'http://reviews:80/a?b' },
      want: [['GET http://reviews:80/a?b HTTP/1.1', 'host: reviews:80', '', ''], outbound],
    },
    {
      name: 'may be of a CONNECT',
      body: { method: 'CONNECT', host: 'db:5432' },
      want: [['CONNECT db:5432 HTTP/1.1', 'host: db:5432', '', ''], outbound],
    },
    {
      name: 'may be of a request to the local port of a service, whatever its host',
      body: { service: 'reviews:9080', host: 'localhost' },
      want: [['GET / HTTP/1.1', 'host: localhost', '', ''], { ...outbound, service: 'reviews:9080' }],
    },
    { name: 'is refused without a host', body: {}, want: ['host: is missing, and there is no "service" instead'] },
    {
      name: 'is refused with two hosts',
      body: { host: 'a', headers: { host: 'b' } },
      want: ['headers.host: is another one than "host"'],
    },
    {
      name: 'is refused with everything that is wrong with it',
      body: { method: 1, host: 'a b', service: 'x:y', path: '/ü', headers: { 'x-a': 'a\nb' }, sourceAddress: 'me' },
      want: [
        'method: must be text; found 1; put it in quotes: "1"',
        'host: is no host with or without a port',
        'service: is no service with or without a port, such as reviews:9080',
        'path: must be written as in a request: other than ASCII percent-encoded',
        'headers.x-a: is no header value: it has a line break or another control character',
        'sourceAddress: is no IP address',
      ],
    },
    { name: 'is refused when it is no map', body: [], want: ['must be a map; found a list'] },
  ]) {
    it(name, () => expect(read(JSON.stringify(body))).to.deep.equal(want));
  }

  it('is refused, with the place, when it is no JSON', () =>
    expect(read('{\n  "host": reviews }')).to.deep.equal(['2:11: is not JSON: expected a value, found "r"']));
});
