import { expect } from 'chai';
import fc from 'fast-check';
import { refusedAs, statusTrailers, timeoutMs } from '../../../../server/grpc/call-headers.ts';

describe('the headers of calls', () => {
  for (const [header, ms] of [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['10S', 10_000],
    ['250m', 250],
    ['5000u', 5],
    ['3000000n', 3],
    ['99999999H', 2 ** 31 - 1],
  ] as const) {
    it(`grpc-timeout: ${header} is ${ms} ms`, () => expect(timeoutMs({ 'grpc-timeout': header })).to.equal(ms));
  }

  it('without grpc-timeout a call has no end of its own', () => expect(timeoutMs({})).to.equal(undefined));

  for (const header of ['', '5', 'S', '-1S', '123456789S', '5s', '1.5S']) {
    it(`grpc-timeout: "${header}" is refused`, () =>
      expect(() => timeoutMs({ 'grpc-timeout': header })).to.throw('grpc-timeout must be'));
  }

  for (const [type, refusal] of [
    ['application/grpc', undefined],
    ['application/grpc+proto', undefined],
    ['application/grpc;charset=utf-8', undefined],
    ['application/grpc-web', 415],
    ['application/json', 415],
    [undefined, 415],
  ] as const) {
    it(`content-type: ${type} is ${refusal ?? 'gRPC'}`, () =>
      expect(refusedAs({ ':method': 'POST', ...(type && { 'content-type': type }) })).to.equal(refusal));
  }

  it('a call is a POST', () =>
    expect(refusedAs({ ':method': 'GET', 'content-type': 'application/grpc' })).to.equal(405));

  it('property: a sentence is printable ASCII, and comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (sentence) => {
        const { 'grpc-message': message = '' } = statusTrailers(3, sentence);
        expect(message).to.match(/^[\x20-\x7e]*$/);
        expect(decodeURIComponent(message)).to.equal(sentence);
      }),
    );
  });

  it('half of a pair of surrogates is replaced', () =>
    expect(statusTrailers(3, 'a\ud800b')['grpc-message']).to.equal('a%EF%BF%BDb'));
});
