import { BlockList } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import { formatCidr, formatWithPrefix, parseCidr } from '../../../../agent/interception/rules/cidr.ts';

const written = (text: string) => {
  const parsed = parseCidr(text);
  return parsed === undefined ? undefined : formatCidr(parsed);
};

describe('a range of addresses', () => {
  for (const { text, want } of [
    { text: '10.1.2.3/8', want: '10.0.0.0/8' },
    { text: '10.1.2.3', want: '10.1.2.3' },
    { text: '10.1.2.3/32', want: '10.1.2.3' },
    { text: '1.2.3.4/0', want: '0.0.0.0/0' },
    { text: 'FD00:0:0::1/8', want: 'fd00::/8' },
    { text: '::1/128', want: '::1' },
    { text: '::/0', want: '::/0' },
    { text: '2001:db8:0:0:1:0:0:1', want: '2001:db8::1:0:0:1' },
    { text: '2001:0:0:1:0:0:0:1', want: '2001:0:0:1::1' },
    { text: '1:0:2:3:4:5:6:7', want: '1:0:2:3:4:5:6:7' },
    { text: '::ffff:10.0.0.1', want: '::ffff:10.0.0.1' },
    { text: '::ffff:a00:1', want: '::ffff:10.0.0.1' },
    { text: 'fd00::1.2.3.4', want: 'fd00::102:304' },
  ]) {
    it(`${text} is ${want}`, () => expect(written(text)).to.equal(want));
  }

  for (const text of [
    '',
    '10.0.0.0/33',
    '::/129',
    '10.0.0',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'example.com',
    'fe80::1%eth0',
    '-1.0.0.0',
  ]) {
    it(`is not "${text}"`, () => expect(parseCidr(text)).to.equal(undefined));
  }

  it('is written with its prefix where tools do that', () => {
    const [one, all] = [parseCidr('::1'), parseCidr('10.0.0.0/8')];
    expect([one && formatWithPrefix(one), all && formatWithPrefix(all)]).to.deep.equal(['::1/128', '10.0.0.0/8']);
  });

  const runs = { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 200) };
  it('has one spelling, which means the same addresses (property)', () => {
    const ranges = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.constant('ipv4' as const)),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.constant('ipv6' as const)),
    );
    fc.assert(
      fc.property(ranges, ([address, prefix, family]) => {
        const parsed = parseCidr(`${address}/${prefix}`);
        if (parsed === undefined) throw new Error(`${address}/${prefix} is refused`);
        expect(parseCidr(formatCidr(parsed))).to.deep.equal(parsed);
        const list = new BlockList();
        list.addSubnet(parsed.address, parsed.prefix, family);
        expect(list.check(address, family)).to.equal(true);
      }),
      runs,
    );
  });
});
