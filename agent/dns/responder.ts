/**
 * What is said to one message: names of the mesh from the directory, all others by the forwarder. Knows no socket. What was
 * said of a name of the mesh is kept as bytes for as long as the directory says the same of it.
 */
import type { Clock } from '../../process/clock.ts';
import { bounds } from './bounds.ts';
import { codeMessage, forwardedMessage, ownMessage } from './client-message.ts';
import type { DnsCounters } from './counters.ts';
import type { Forwarded, Forwarder } from './forwarder.ts';
import { type KeptName, KeptNames } from './kept-names.ts';
import type { NameDirectory } from './name-directory.ts';
import type { Found } from './own-answer.ts';
import { type MeshNames, type OwnQuestion, readOwnQuestion } from './own-question.ts';
import { flag, largestMessageBytes, responseCode } from './protocol.ts';
import { nameText, type Query, readQuery, udpLimit } from './query.ts';

export interface ResponderOptions {
  readonly names: MeshNames;
  readonly directory: NameDirectory;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly counters: DnsCounters;
  /** How long the directory may think about a name. */
  readonly directoryPatienceMs: number;
}

export type Transport = 'udp' | 'tcp';
type Send = (answer: Buffer) => void;

export class Responder {
  readonly #options: ResponderOptions;
  readonly #kept = new KeptNames();
  #lookups = 0;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** Sends one answer, at once or later, or none: what is no question is not answered. */
  answer(message: Buffer, transport: Transport, send: Send): void {
    const { counters } = this.#options;
    const query = readQuery(message);
    if (query === undefined) {
      counters.dropped++;
      return;
    }
    if ('code' in query) {
      counters.refused++;
      return send(codeMessage(query, query.code));
    }
    const name = this.#kept.get(query.key) ?? this.#keep(query);
    const found = this.#find(name.asked.question);
    if (found instanceof Promise) this.#await(found, { query, name, transport, send });
    else this.#say(found, { query, name, transport, send });
  }

  #keep(query: Query): KeptName {
    const text = nameText(query.key);
    const { names } = this.#options;
    return this.#kept.add(query.key, {
      question: readOwnQuestion(text, names),
      text,
      type: query.type,
      domain: names.domain,
    });
  }

  #find(question: OwnQuestion): Found | 'foreign' | Promise<Found | 'foreign'> {
    const { directory } = this.#options;
    if (question.is === 'foreign') return 'foreign';
    if (question.is === 'reverse') {
      const name = directory.nameOf(question.address);
      return name === 'foreign' || name === 'unknown' ? name : { is: 'pointer', name };
    }
    if (question.is !== 'service') return 'unknown';
    const unknown = question.isInDomain ? 'unknown' : 'foreign';
    const found = directory.find(question.name, question.instance);
    if (!(found instanceof Promise)) return found === 'unknown' ? unknown : found;
    return found.then((later) => (later === 'unknown' ? unknown : later));
  }

  /** A name that others may know is asked of them when the directory does not say; of its own domain it has to. */
  #await(found: Promise<Found | 'foreign'>, to: Answering): void {
    const { clock, counters, directoryPatienceMs } = this.#options;
    const { question } = to.name.asked;
    if (this.#lookups >= bounds.lookups) {
      counters.overflows++;
      return to.send(codeMessage(to.query, responseCode.SERVFAIL));
    }
    this.#lookups++;
    let isOver = false;
    const settle = (run: () => void) => {
      if (isOver) return;
      isOver = true;
      this.#lookups--;
      callOff();
      run();
    };
    const giveUp = () => {
      if (question.is === 'service' && !question.isInDomain) return this.#forward(to);
      counters.failures++;
      to.send(codeMessage(to.query, responseCode.SERVFAIL));
    };
    const callOff = clock.after(directoryPatienceMs, () => settle(giveUp));
    found.then(
      (known) => settle(() => this.#say(known, to)),
      () => settle(giveUp),
    );
  }

  #say(found: Found | 'foreign', to: Answering): void {
    if (found === 'foreign') return this.#forward(to);
    const { counters } = this.#options;
    const { query, name, transport, send } = to;
    const limit = limitOf(query, transport);
    const whole = this.#kept.bytesOf(name, found, query);
    counters.ownAnswers++;
    if (name.isNegative) counters.ownNegatives++;
    const optBytes = query.edns === undefined ? 0 : 11;
    if (whole.length + optBytes <= limit) return send(ownMessage(query, whole));
    counters.truncated++;
    send(ownMessage(query, this.#kept.cut(name, query, limit - optBytes)));
  }

  #forward({ query, transport, send }: Answering): void {
    const { counters, forwarder } = this.#options;
    const { bytes, flags, questionEnd, edns, type } = query;
    const isDnssecOk = edns?.isDnssecOk === true;
    const asked = flags & (flag.RD | flag.CD | flag.AD);
    const wanted = {
      question: bytes.subarray(12, questionEnd),
      type,
      isRecursionDesired: (flags & flag.RD) !== 0,
      isCheckingDisabled: (flags & flag.CD) !== 0,
      isAuthenticDataAsked: (flags & flag.AD) !== 0,
      isDnssecOk,
    };
    forwarder.ask(`${asked}${isDnssecOk ? '+' : ' '}${query.key}`, wanted, (forwarded: Forwarded) => {
      if (forwarded === 'overflow') counters.overflows++;
      if (forwarded === 'failure') counters.failures++;
      if (typeof forwarded === 'string') return send(codeMessage(query, responseCode.SERVFAIL));
      const limit = limitOf(query, transport);
      const answer = forwardedMessage(query, forwarded, limit);
      if ((answer.readUInt16BE(2) & flag.TC) !== 0) counters.truncated++;
      send(answer);
    });
  }
}

interface Answering {
  readonly query: Query;
  readonly name: KeptName;
  readonly transport: Transport;
  readonly send: Send;
}

function limitOf(query: Query, transport: Transport): number {
  return transport === 'tcp' ? largestMessageBytes : udpLimit(query.edns);
}
