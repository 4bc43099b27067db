import { expect } from 'chai';
import { createLineIndex } from '../../../model/line-index.ts';

describe('line and column of an offset', () => {
  for (const { name, text, offset, want } of [
    { name: 'an empty text has one place', text: '', offset: 0, want: [1, 1] },
    { name: 'the first character is 1:1', text: 'ab\ncd', offset: 0, want: [1, 1] },
    { name: 'a line feed belongs to the line it ends', text: 'ab\ncd', offset: 2, want: [1, 3] },
    { name: 'the next line begins after it', text: 'ab\ncd', offset: 3, want: [2, 1] },
    { name: 'a carriage return is a character of its line', text: 'ab\r\ncd', offset: 4, want: [2, 1] },
    { name: 'an offset behind the text is at its end', text: 'ab\ncd', offset: 99, want: [2, 3] },
    { name: 'an offset before the text is at its beginning', text: 'ab\ncd', offset: -1, want: [1, 1] },
    { name: 'the end of a text that ends its last line is in that line', text: 'ab\n', offset: 3, want: [1, 3] },
    { name: 'a line may be empty', text: 'a\n\nb', offset: 2, want: [2, 1] },
  ] as const) {
    it(name, () => {
      const { line, column } = createLineIndex(text)(offset);
      expect([line, column]).to.deep.equal(want);
    });
  }
});
