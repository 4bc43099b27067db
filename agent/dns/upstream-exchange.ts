/** One question to one resolver, by UDP from a socket of its own or by TCP. Knows no second try. */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { HostPort } from '../../process/host-port.ts';
import { FrameReader, frame } from './length-framing.ts';
import { judgeAnswer } from './upstream-query.ts';

export interface Exchange {
  readonly server: HostPort;
  readonly query: Buffer;
  readonly questionBytes: number;
  /** At most once, or `onFailure`. `other-case` and `without-question` as `judgeAnswer` has them. */
  readonly onAnswer: (answer: Buffer, kind: 'answer' | 'other-case' | 'without-question') => void;
  /** Nobody is there, or it hangs up. */
  readonly onFailure: () => void;
  /** Something came that is no answer; the exchange goes on. */
  readonly onStranger: () => void;
}

/** The answer calls it off, and is called when it is over. */
export function askOverUdp({ server, query, questionBytes, ...told }: Exchange): () => void {
  // Not bound before: the system picks a port of its own at random for each question.
  const socket = createSocket(isIPv6(server.host.replace(/%.*$/, '')) ? 'udp6' : 'udp4');
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    socket.close();
  };
  const fail = () => {
    if (isOver) return;
    end();
    told.onFailure();
  };
  socket.on('error', fail);
  socket.on('message', (answer) => {
    if (isOver) return;
    const kind = judgeAnswer(answer, query, questionBytes);
    if (kind === 'stranger') return told.onStranger();
    end();
    told.onAnswer(answer, kind);
  });
  // Connected: the kernel drops what comes from any other address, and tells when nobody listens there.
  socket.connect(server.port, server.host, () => {
    if (!isOver) socket.send(query, (error) => error && fail());
  });
  return end;
}

export function askOverTcp({ server, query, questionBytes, ...told }: Exchange): () => void {
  const socket = connect({ host: server.host, port: server.port, noDelay: true });
  let isOver = false;
  const end = () => {
    isOver = true;
    socket.destroy();
  };
  const fail = () => {
    if (isOver) return;
    end();
    told.onFailure();
  };
  const reader = new FrameReader((answer) => {
    if (isOver) return;
    const kind = judgeAnswer(answer, query, questionBytes);
    if (kind === 'stranger') return told.onStranger();
    end();
    told.onAnswer(answer, kind);
  });
  socket.on('error', fail);
  socket.on('close', fail);
  socket.on('data', (piece) => {
    if (!isOver) reader.push(piece);
  });
  socket.write(frame(query));
  return end;
}
