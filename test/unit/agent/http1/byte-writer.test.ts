import { expect } from 'chai';
import { ByteWriter } from '../../../../agent/http1/byte-writer.ts';

function content(writer: ByteWriter): string {
  return writer.bytes.toString('latin1', 0, writer.length);
}

describe('a byte writer', () => {
  // Short runs go octet by octet, long ones by the runtime.
  for (const length of [0, 1, 63, 64, 65, 1_000]) {
    it(`writes text and bytes of ${length} octets, growing as it must`, () => {
      const text = Array.from({ length }, (_, n) => String.fromCharCode(n % 256)).join('');
      const writer = new ByteWriter(1);
      writer.text('<');
      writer.text(text);
      writer.copy(Buffer.from(`..${text}..`, 'latin1'), 2, 2 + length);
      writer.text('>');
      expect(content(writer)).to.equal(`<${text}${text}>`);
    });
  }

  it('writes headers and sizes of chunks', () => {
    const writer = new ByteWriter(8);
    writer.header('a', 'b');
    writer.hexadecimal(0);
    writer.hexadecimal(65_535);
    expect(content(writer)).to.equal('a: b\r\n0ffff');
  });

  it('keeps what was written when it grows, and its buffer when it need not', () => {
    const writer = new ByteWriter(4);
    writer.text('abcd');
    const { bytes } = writer;
    writer.reserve(0);
    expect(writer.bytes).to.equal(bytes);
    writer.reserve(1);
    expect(writer.bytes.length).to.be.at.least(5);
    expect(content(writer)).to.equal('abcd');
  });

  it('begins anew when its length is set to 0', () => {
    const writer = new ByteWriter(4);
    writer.text('abcd');
    writer.length = 0;
    writer.text('e');
    expect(content(writer)).to.equal('e');
  });
});
