/** What has come of the body of a request before it is decided where the request goes. */
import type { BodyReader } from '../http1/body-reader.ts';

const nothing = Buffer.alloc(0);

export class EarlyBody {
  bytes: Buffer = nothing;
  from = 0;
  to = 0;

  /** What came with the head, in the buffer that it was read into: it is somebody else's when the call returns. */
  begin(bytes: Buffer, { from, to, trailers }: BodyReader): void {
    this.bytes = bytes;
    this.from = from;
    this.to = to;
    if (trailers !== undefined) this.#join(trailers);
  }

  /** Copies what is there, so that it stays. */
  keep(): void {
    this.#join(nothing);
  }

  /** More of it, to what was kept. */
  add(bytes: Buffer, { from, to, trailers = nothing }: BodyReader): void {
    this.#join(bytes.subarray(from, to), trailers);
  }

  /** It has gone on its way. */
  letGo(): void {
    this.bytes = nothing;
  }

  #join(...more: readonly Buffer[]): void {
    this.bytes = Buffer.concat([this.bytes.subarray(this.from, this.to), ...more]);
    this.from = 0;
    this.to = this.bytes.length;
  }
}
