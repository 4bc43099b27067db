import { expect } from 'chai';
import { MeshError } from '../../../model/errors.ts';
import { startFailure } from '../../../server/start-failure.ts';

const store = (reason: string, cause?: unknown) =>
  new MeshError('STORE_FAILED', [`cannot open the data directory /data: ${reason}`], { cause });

describe('a server that cannot start', () => {
  for (const { name, error, says } of [
    {
      name: 'names the flag when its HTTP address is in use, and says it once',
      error: new Error(
        'cannot listen on 127.0.0.1:7070 for HTTP: listen EADDRINUSE: address already in use 127.0.0.1:7070',
      ),
      says: 'cannot listen on 127.0.0.1:7070 for HTTP: the address is in use, perhaps by another server; end that program, or take another address with --http',
    },
    {
      name: 'finds the reason in what gRPC’s library says',
      error: new Error(
        'cannot listen on [::1]:15010 for gRPC: No address added out of total 1 resolved errors: [listen EADDRNOTAVAIL: address not available ::1]',
      ),
      says: 'cannot listen on [::1]:15010 for gRPC: this machine has no such address; take one of its own (0.0.0.0 is all of them) with --grpc',
    },
    {
      name: 'keeps the words for an address when it has none of its own',
      error: new Error('cannot listen on x.invalid:7 for gRPC: Name resolution failed for target dns:x.invalid:7'),
      says: 'cannot listen on x.invalid:7 for gRPC: Name resolution failed for target dns:x.invalid:7; another address goes by --grpc',
    },
    {
      name: 'leaves a sentence of the store as it is',
      error: store('another server (process 7) is using it; stop that one, or give this one its own --data-dir'),
      says: 'the store failed: cannot open the data directory /data: another server (process 7) is using it; stop that one, or give this one its own --data-dir',
    },
    {
      name: 'says what to do about a read-only file system',
      error: store("EROFS: read-only file system, mkdir '/data'", new Error('EROFS')),
      says: "the store failed: cannot open the data directory /data: EROFS: read-only file system, mkdir '/data'; mount its file system for writing, or name another directory with --data-dir",
    },
    {
      name: 'says what to do about a link to nowhere',
      error: store("EEXIST: file already exists, mkdir '/data'", new Error('EEXIST')),
      says: "the store failed: cannot open the data directory /data: EEXIST: file already exists, mkdir '/data'; what stands there is no directory, but a file or a link to nowhere: move it away, or name another directory with --data-dir",
    },
    { name: 'has no sentence for what nobody foresaw', error: new TypeError('x is undefined'), says: undefined },
    { name: 'has none for INTERNAL either', error: MeshError.from(new TypeError('x')), says: undefined },
    { name: 'has none for what is no error', error: 'text', says: undefined },
  ]) {
    it(name, () => expect(startFailure(error)).to.equal(says));
  }
});
