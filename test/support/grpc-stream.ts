/** A stream to a gRPC server, on which any bytes can be sent and on whose answers one can wait. */
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';

export interface StreamEnd {
  readonly code: number;
  readonly details: string;
}

export class GrpcStream<Answer> {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Buffer, Answer>;
  readonly #answers: Answer[] = [];
  #wake = () => {};
  readonly ended: Promise<StreamEnd>;

  constructor(address: string, path: string, decode: (bytes: Buffer) => Answer) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.#stream = this.#client.makeBidiStreamRequest(path, (bytes: Buffer) => bytes, decode);
    this.#stream.on('data', (answer: Answer) => {
      this.#answers.push(answer);
      this.#wake();
    });
    this.#stream.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.#stream.on('status', ({ code, details }) => {
        this.#client.close();
        resolve({ code, details });
      });
    });
  }

  write(bytes: Buffer): void {
    this.#stream.write(bytes);
  }

  /** The next one that has not been asked for yet; rejects when the stream ends without. */
  async answer(): Promise<Answer> {
    while (this.#answers.length === 0) {
      const woken = new Promise<undefined>((resolve) => {
        this.#wake = () => resolve(undefined);
      });
      const end = await Promise.race([woken, this.ended]);
      if (end !== undefined && this.#answers.length === 0) throw new Error(`ended: ${end.code} ${end.details}`);
    }
    const [answer] = this.#answers.splice(0, 1);
    // There is one, or the loop would not have ended.
    if (answer === undefined) throw new Error('an answer is missing');
    return answer;
  }

  /** Ends it as a client does that has nothing more to say. */
  end(): void {
    this.#stream.end();
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

/** Asks once; resolves with the answer or with how the call ended. */
export function askOnce<Answer>(
  address: string,
  path: string,
  { bytes, decode }: { readonly bytes: Buffer; readonly decode: (bytes: Buffer) => Answer },
): Promise<Answer | StreamEnd> {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      path,
      (asked: Buffer) => asked,
      decode,
      bytes,
      (error, answer) => {
        client.close();
        if (error) resolve({ code: error.code, details: error.details });
        else if (answer !== undefined) resolve(answer);
      },
    );
  });
}
