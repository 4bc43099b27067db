/** Why the server could not start, in one sentence for its log: what, where, and what to do now. Reads errors only. */
import { MeshError } from '../model/errors.ts';

/** Undefined for what nobody foresaw: that needs its stack. */
export function startFailure(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const [, head, protocol] = /^(cannot listen on \S+ for (HTTP|gRPC)): /.exec(error.message) ?? [];
  // gRPC's library hands errors over as text, so the text is where the code stands.
  const [code = ''] = /\bE[A-Z]{3,}\b/.exec(error.message) ?? [];
  if (head !== undefined) {
    const flag = protocol === 'HTTP' ? '--http' : '--grpc';
    const now = listening[code];
    return now === undefined ? `${error.message}; another address goes by ${flag}` : `${head}: ${now} ${flag}`;
  }
  if (!(error instanceof MeshError) || error.code === 'INTERNAL') return undefined;
  const now = error.code === 'STORE_FAILED' && error.cause !== undefined ? storing[code] : undefined;
  return now === undefined ? error.toText() : `${error.toText()}; ${now}`;
}

/** Each goes on with the flag. */
const listening: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use, perhaps by another server; end that program, or take another address with',
  EADDRNOTAVAIL: 'this machine has no such address; take one of its own (0.0.0.0 is all of them) with',
  ENOTFOUND: 'no address is known for this name; take another one with',
  EACCES: 'this user may not listen there, as for ports below 1024; take another port with',
};

const otherDirectory = 'or name another directory with --data-dir';
const foreignOwner = `give it to the user that runs the server, ${otherDirectory}`;
const noDirectory = `what stands there is no directory, but a file or a link to nowhere: move it away, ${otherDirectory}`;

const storing: Readonly<Record<string, string>> = {
  EROFS: `mount its file system for writing, ${otherDirectory}`,
  EEXIST: noDirectory,
  ENOTDIR: noDirectory,
  EACCES: foreignOwner,
  EPERM: foreignOwner,
  ENOENT: `create it, ${otherDirectory}`,
  ENOSPC: `make room on its disk, ${otherDirectory}`,
};
