import { expect } from 'chai';
import { bodyCutShort, describeFault, fault, headTooSlow } from '../../../../agent/http1/fault.ts';
import { incomplete } from '../../../../agent/http1/fields.ts';

describe('faults of messages', () => {
  it('are numbers below zero, which are neither positions nor "incomplete"', () => {
    for (const number of Object.values(fault)) expect(number).to.be.below(Math.min(0, incomplete));
    expect(new Set(Object.values(fault)).size).to.equal(Object.keys(fault).length);
  });

  it('are told from what did not arrive, and that from "incomplete"', () => {
    const numbers = [...Object.values(fault), incomplete, headTooSlow, bodyCutShort];
    expect(new Set(numbers).size).to.equal(numbers.length);
  });

  it('have each a name of its own for counters, a sentence, and a section of an RFC', () => {
    const descriptions = Object.values(fault).map(describeFault);
    expect(new Set(descriptions.map(({ name }) => name)).size).to.equal(descriptions.length);
    for (const { name, sentence, section } of descriptions) {
      expect(name).to.match(/^[a-z0-9.-]+$/);
      expect(sentence).to.match(/^\S.*[^.]$/);
      expect(section).to.match(/^RFC (9110|9112|6585), \d+(\.\d+)*$/);
    }
  });

  for (const number of [0, 1, -1 - Object.keys(fault).length]) {
    it(`do not include ${number}`, () => {
      expect(() => describeFault(number)).to.throw(RangeError, `${number} is no fault of a message`);
    });
  }
});
