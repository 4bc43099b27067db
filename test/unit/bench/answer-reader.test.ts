import { expect } from 'chai';
import { AnswerReader } from '../../../bench/proxy/load/answer-reader.ts';

const answer = (body: string, fields = '') =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;

function readIn(pieces: readonly string[]): number {
  let answers = 0;
  const reader = new AnswerReader(() => answers++);
  for (const piece of pieces) reader.read(Buffer.from(piece));
  return answers;
}

describe('the reader of answers of the bench', () => {
  for (const { name, text, want } of [
    { name: 'one answer', text: answer('hello'), want: 1 },
    { name: 'an answer without body', text: answer(''), want: 1 },
    { name: 'several on one connection', text: answer('a', 'x: 1\r\n') + answer('') + answer('ccc'), want: 3 },
    { name: 'no answer in half of one', text: answer('hello').slice(0, -1), want: 0 },
  ]) {
    it(`finds ${name}, wherever it is cut`, () => {
      const cuts = Array.from({ length: text.length }, (_, at) => readIn([text.slice(0, at), text.slice(at)]));
      expect([readIn([...text]), ...cuts]).to.deep.equal(Array.from({ length: text.length + 1 }, () => want));
    });
  }

  for (const { name, text } of [
    { name: 'another status', text: answer('no').replace('200', '503') },
    { name: 'an answer without length', text: 'HTTP/1.1 200 OK\r\n\r\n' },
  ]) {
    it(`refuses ${name}`, () => expect(() => readIn([text])).to.throw('answered with HTTP/1.1'));
  }
});
