/** The requests of the load, each of which its number says everything about: what was sent need not be remembered. */

export interface LoadRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** The `x-user` header. */
  readonly user: string | undefined;
}

const users = 300;

export function requestOf(id: number): LoadRequest {
  const draw = Math.imul(id + 1, 0x9e3779b1) >>> 8;
  return {
    method: draw % 4 === 0 ? 'POST' : 'GET',
    path: `/${(draw >>> 2) % 2 === 0 ? 'a' : 'b'}/${id}`,
    user: (draw >>> 3) % 3 === 0 ? `u${(draw >>> 5) % users}` : undefined,
  };
}

export function idOf(path: string | null): number {
  return Number(path?.slice('/a/'.length));
}

/** As it is sent. */
export function bytesOf(id: number): string {
  const { method, path, user } = requestOf(id);
  const head = `${method} ${path} HTTP/1.1\r\nHost: reviews\r\n${user === undefined ? '' : `x-user: ${user}\r\n`}`;
  return method === 'GET' ? `${head}\r\n` : `${head}Content-Length: 20\r\n\r\nthe body of a review`;
}
