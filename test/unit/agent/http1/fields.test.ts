import { expect } from 'chai';
import { describeFault } from '../../../../agent/http1/fault.ts';
import { Fields, mostFields } from '../../../../agent/http1/fields.ts';
import { headerKind } from '../../../../agent/http1/header-kind.ts';

function parsed(text: string): Fields {
  const fields = new Fields();
  const bytes = Buffer.from(text, 'latin1');
  expect(fields.parse(bytes, 0, bytes.length)).to.equal(bytes.length);
  return fields;
}

describe('header lines', () => {
  it('are found where they lie, their values without the white space around them', () => {
    const fields = parsed('A:b\r\nCookie: \t c d \t\r\nE:\r\n\r\n');
    const lines = Array.from({ length: fields.count }, (_, index) => ({
      line: fields.bytes.toString('latin1', fields.lineStart(index), fields.lineEnd(index)),
      name: fields.name(index),
      value: fields.value(index),
      kind: fields.kind(index),
    }));
    expect(lines).to.deep.equal([
      { line: 'A:b\r\n', name: 'A', value: 'b', kind: 0 },
      { line: 'Cookie: \t c d \t\r\n', name: 'Cookie', value: 'c d', kind: headerKind.cookie },
      { line: 'E:\r\n', name: 'E', value: '', kind: 0 },
    ]);
  });

  it('end with an empty line, behind which it goes on', () => {
    const fields = new Fields();
    const bytes = Buffer.from('..A: b\r\n\r\nrest');
    expect(fields.parse(bytes, 2, bytes.length)).to.equal(10);
    expect(fields.parse(Buffer.from('\r\n'), 0, 2)).to.equal(2);
    expect(fields.count).to.equal(0);
  });

  it('are counted by kind', () => {
    const fields = parsed('a: 1\r\nHost: 2\r\nVIA: 3\r\nvia: 4\r\nHosts: 5\r\n\r\n');
    expect([fields.indexOf(headerKind.host), fields.countOf(headerKind.host)]).to.deep.equal([1, 1]);
    expect([fields.indexOf(headerKind.via), fields.countOf(headerKind.via)]).to.deep.equal([2, 2]);
    expect([fields.indexOf(headerKind.te), fields.countOf(headerKind.te)]).to.deep.equal([-1, 0]);
    expect([fields.has(headerKind.via), fields.has(headerKind.te)]).to.deep.equal([true, false]);
  });

  it('are found by name, in whatever case; several values become one', () => {
    const fields = parsed('X-A: 1\r\nx-b: 2\r\nX-a: 3\r\nx-c:\r\n\r\n');
    expect(['x-a', 'x-b', 'x-c', 'x-'].map((name) => fields.find(name))).to.deep.equal(['1,3', '2', '', undefined]);
  });

  it('of the message before are forgotten', () => {
    const fields = parsed('Host: a\r\nVia: b\r\n\r\n');
    const next = Buffer.from('c: d\r\n\r\n');
    fields.parse(next, 0, next.length);
    expect([
      fields.count,
      fields.has(headerKind.host),
      fields.countOf(headerKind.via),
      fields.find('via'),
    ]).to.deep.equal([1, false, 0, undefined]);
  });

  it('are only so many', () => {
    const lines = (count: number) => Buffer.from(`${'a: b\r\n'.repeat(count)}\r\n`);
    const fields = new Fields();
    const [most, more] = [lines(mostFields), lines(mostFields + 1)];
    expect(fields.parse(most, 0, most.length)).to.equal(most.length);
    expect(describeFault(fields.parse(more, 0, more.length)).name).to.equal('too-many-headers');
    // Nothing was written beyond the limit.
    expect([fields.count, fields.kind(mostFields), fields.lineStart(mostFields)]).to.deep.equal([mostFields, 0, 0]);
  });

  it('may be as long as they like: the head has a limit', () => {
    expect(parsed(`${'n'.repeat(9_000)}: ${'v'.repeat(50_000)}\r\n\r\n`).value(0)).to.have.length(50_000);
  });
});
