/** The requests of a load, as bytes of the wire. */

export interface RequestShape {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Besides Host, in this order. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function requestText({ method, path, headers = {}, body }: RequestShape): string {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const fields = Object.entries({ host: 'reviews:9080', ...headers, ...length });
  return `${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body ?? ''}`;
}
