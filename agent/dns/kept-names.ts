/**
 * Questions for names of the mesh that were asked before, by their bytes: what they ask for, and the answer as bytes for as long
 * as the directory answers with the same object. Never decides what is true: the directory is asked each time.
 */

import { writeMessage } from './message-writer.ts';
import { type Answer, type Asked, answerTo, type Found } from './own-answer.ts';
import { headerBytes, largestMessageBytes } from './protocol.ts';
import type { Query } from './query.ts';

export interface KeptName {
  readonly asked: Asked;
  found: Found | undefined;
  answer: Answer | undefined;
  isNegative: boolean;
  /** The answer, beginning with each of its first records in turn: of several instances each is the first now and then. */
  turns: (Buffer | undefined)[];
  turn: number;
}

/** An application addresses dozens; beyond, somebody tries names, and all is begun anew. */
const mostNames = 4_096;
const mostBytes = 8 * 1024 * 1024;
const mostTurns = 16;

export class KeptNames {
  readonly #names = new Map<string, KeptName>();
  #bytes = 0;

  get size(): number {
    return this.#names.size;
  }

  get(key: string): KeptName | undefined {
    return this.#names.get(key);
  }

  add(key: string, asked: Asked): KeptName {
    if (this.#names.size >= mostNames || this.#bytes > mostBytes) {
      this.#names.clear();
      this.#bytes = 0;
    }
    const name: KeptName = { asked, found: undefined, answer: undefined, isNegative: false, turns: [], turn: 0 };
    this.#names.set(key, name);
    return name;
  }

  /** The whole answer, however long, to this question. */
  bytesOf(name: KeptName, found: Found, query: Query): Buffer {
    if (!isSame(name.found, found)) this.#learn(name, found);
    const turn = name.turn;
    name.turn = turn + 1 < name.turns.length ? turn + 1 : 0;
    const kept = name.turns[turn];
    if (kept !== undefined) return kept;
    const bytes = this.#write(name, query, { turn, limitBytes: largestMessageBytes });
    this.#bytes += bytes.length;
    name.turns[turn] = bytes;
    return bytes;
  }

  /** As much of the answer, which `bytesOf` has made, as goes into so many bytes. */
  cut(name: KeptName, query: Query, limitBytes: number): Buffer {
    return this.#write(name, query, { turn: name.turn, limitBytes });
  }

  #learn(name: KeptName, found: Found): void {
    const answer = answerTo(name.asked, found);
    const isList = typeof found === 'object' && found.is === 'instances';
    for (const bytes of name.turns) this.#bytes -= bytes?.length ?? 0;
    name.found = found;
    name.answer = answer;
    name.isNegative = answer.answers.length === 0;
    name.turns = Array.from({ length: isList ? Math.max(1, Math.min(mostTurns, answer.answers.length)) : 1 });
    name.turn = 0;
  }

  #write(
    { asked, answer }: KeptName,
    query: Query,
    { turn, limitBytes }: { turn: number; limitBytes: number },
  ): Buffer {
    const whole = answer ?? answerTo(asked, 'unknown');
    const answers = [...whole.answers.slice(turn), ...whole.answers.slice(0, turn)];
    const question = query.bytes.subarray(headerBytes, query.questionEnd);
    return writeMessage({ question, text: asked.text, answer: { ...whole, answers }, limitBytes });
  }
}

/** A pointer is made anew each time; everything else is the directory's own object, or a word. */
function isSame(kept: Found | undefined, found: Found): boolean {
  if (kept === found) return true;
  if (typeof kept !== 'object' || typeof found !== 'object') return false;
  return kept.is === 'pointer' && found.is === 'pointer' && kept.name === found.name;
}
