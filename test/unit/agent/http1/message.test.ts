import { expect } from 'chai';
import { endToEndFields, fieldValue, fieldValues, withoutFields } from '../../../../agent/http1/message.ts';

describe('header fields', () => {
  const fields = ['Host', 'reviews', 'X-A', '1', 'x-a', '2', 'X-B', ''];

  for (const { name, header, want } of [
    { name: 'are found whatever their case', header: 'host', want: 'reviews' },
    { name: 'are joined by a comma when repeated', header: 'x-a', want: '1,2' },
    { name: 'may be empty', header: 'x-b', want: '' },
    { name: 'may be absent', header: 'x-c', want: undefined },
  ]) {
    it(name, () => expect(fieldValue(fields, header)).to.equal(want));
  }

  it('give every value of a repeated one', () => {
    expect(fieldValues(fields, 'x-a')).to.deep.equal(['1', '2']);
  });

  it('keep order and spelling when some are taken out', () => {
    expect(withoutFields(fields, ['host', 'x-b'])).to.deep.equal(['X-A', '1', 'x-a', '2']);
  });

  for (const { name, sent, want } of [
    {
      name: 'lose what is about the connection',
      sent: ['TE', 'trailers', 'Upgrade', 'h2c', 'Proxy-Connection', 'x', 'Keep-Alive', '5', 'Via', '1.1 a'],
      want: ['Via', '1.1 a'],
    },
    {
      name: 'lose what Connection lists, in any of its values',
      sent: ['Connection', 'close, X-A', 'x-a', '1', 'connection', 'x-b', 'X-B', '2', 'X-C', '3'],
      want: ['X-C', '3'],
    },
    {
      name: 'keep the length and the host, whatever Connection lists',
      sent: ['Connection', 'content-length, host', 'Host', 'a', 'Content-Length', '5'],
      want: ['Host', 'a', 'Content-Length', '5'],
    },
  ]) {
    it(name, () => expect(endToEndFields(sent)).to.deep.equal(want));
  }
});
