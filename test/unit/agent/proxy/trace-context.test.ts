import { expect } from 'chai';
import { ByteWriter } from '../../../../agent/http1/byte-writer.ts';
import { Fields } from '../../../../agent/http1/fields.ts';
import type { HeaderChanges } from '../../../../agent/http1/pass-head.ts';
import { startTrace } from '../../../../agent/proxy/trace-context.ts';

const id = /^x-request-id: ([0-9a-f]{8})-([0-9a-f]{4})-(4[0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{12})$/;
const parent = /^traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-00$/;

/** The lines that are added to a request with these headers. */
function added(headers = '', changes?: HeaderChanges): string[] {
  const fields = new Fields();
  const bytes = Buffer.from(`${headers}\r\n`, 'latin1');
  fields.parse(bytes, 0, bytes.length);
  const writer = new ByteWriter(0);
  startTrace(writer, fields, changes);
  return writer.bytes.toString('latin1', 0, writer.length).split('\r\n').slice(0, -1);
}

describe('the trace of a request', () => {
  it('is started with an id that is a random UUID of the same number', () => {
    for (let n = 0; n < 1_000; n++) {
      const [first = '', second = '', ...more] = added();
      expect(more).to.deep.equal([]);
      expect(first).to.match(id);
      expect(id.exec(first)?.slice(1).join('')).to.equal(parent.exec(second)?.[1]);
    }
  });

  it('is another one for every request', () => {
    const lines = Array.from({ length: 10_000 }, () => added().join());
    expect(new Set(lines).size).to.equal(10_000);
  });

  it('is not started where there is one', () => {
    expect(added('TraceParent: x\r\nX-Request-Id: y\r\n')).to.deep.equal([]);
    expect(added('traceparent: x\r\n').map((line) => id.test(line))).to.deep.equal([true]);
    expect(added('x-request-id: y\r\n').map((line) => parent.test(line))).to.deep.equal([true]);
    const changes = { set: [['x-request-id', 'a'] as const], add: [['traceparent', 'b'] as const], remove: [] };
    expect(added('', changes)).to.deep.equal([]);
  });
});
