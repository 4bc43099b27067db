/**
 * Writes messages whose names are compressed (RFC 1035, 4.1.4), and no longer than the reader takes. dns-packet writes the
 * records; it repeats each name in full, so the names before them are written here.
 */
import { type Answer as DnsRecord, encode } from 'dns-packet';
import type { Answer } from './own-answer.ts';
import { flag, headerBytes, largestMessageBytes } from './protocol.ts';

export interface MessageToWrite {
  /** Name, type and class as they came. */
  readonly question: Buffer;
  /** The same name as text: what the offsets of its parts are counted by. */
  readonly text: string;
  readonly answer: Answer;
  /** What does not fit is left out: of answers with the mark TC, of additional records without. */
  readonly limitBytes: number;
}

/** With id 0, and neither RD nor an OPT record: these are the client's. */
export function writeMessage({ question, text, answer, limitBytes }: MessageToWrite): Buffer {
  const header = Buffer.alloc(headerBytes);
  const parts: Buffer[] = [header, question];
  const names = new Map<string, number>();
  let length = headerBytes + question.length;
  // dns-packet would not find a pointer to beyond its 14 bits either.
  const know = (name: string, offset: number) => {
    if (offset < 0x4000 && !names.has(name)) names.set(name, offset);
  };
  for (let name = text, offset = headerBytes; name !== ''; ) {
    know(name, offset);
    const dot = name.indexOf('.');
    offset += (dot < 0 ? name.length : dot) + 1;
    name = dot < 0 ? '' : name.slice(dot + 1);
  }

  const append = (records: readonly DnsRecord[]): number => {
    let count = 0;
    for (const record of records) {
      const owner = writeName(record.name, names);
      // Of the root, so that what follows the name is behind the header and one byte.
      const rest = encode({ type: 'response', answers: [{ ...record, name: '.' }] }).subarray(headerBytes + 1);
      if (length + owner.length + rest.length > Math.min(limitBytes, largestMessageBytes)) return count;
      know(record.name, length);
      parts.push(owner, rest);
      length += owner.length + rest.length;
      count++;
    }
    return count;
  };
  const answers = append(answer.answers);
  const authorities = append(answer.authorities);
  const isWhole = answers === answer.answers.length && authorities === answer.authorities.length;
  const additionals = isWhole ? append(answer.additionals) : 0;

  header.writeUInt16BE(flag.QR | flag.AA | flag.RA | (isWhole ? 0 : flag.TC) | answer.code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers, 6);
  header.writeUInt16BE(authorities, 8);
  header.writeUInt16BE(additionals, 10);
  return Buffer.concat(parts, length);
}

/** As many labels as nobody has written before, and a pointer to the rest. */
function writeName(name: string, known: ReadonlyMap<string, number>): Buffer {
  const labels: Buffer[] = [];
  for (let rest = name; rest !== ''; ) {
    const offset = known.get(rest);
    if (offset !== undefined) return Buffer.concat([...labels, Buffer.from([0xc0 | (offset >> 8), offset & 0xff])]);
    const dot = rest.indexOf('.');
    const label = dot < 0 ? rest : rest.slice(0, dot);
    labels.push(Buffer.from([label.length]), Buffer.from(label, 'latin1'));
    rest = dot < 0 ? '' : rest.slice(dot + 1);
  }
  return Buffer.concat([...labels, Buffer.from([0])]);
}
