import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type ErrorCode, type ErrorDetails, errorCodes } from '../../../model/errors.ts';

const text = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');

/** Names of the gRPC status numbers, as grpc.io lists them. */
const grpcNames = ['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND'].concat(
  ['ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE'],
  ['UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
);

/** What the examples in the page are about. A code without an example does not compile. */
const examples: { [Code in ErrorCode]: ErrorDetails<Code> } = {
  INVALID_DOCUMENTS: [2],
  NO_DOCUMENTS: [],
  REVISION_CONFLICT: [7],
  ETAG_CONFLICT: ['Route/default/canary', 7],
  RESOURCE_EXISTS: ['Route/default/canary', 7],
  RESOURCE_NOT_FOUND: ['Route', 'default', 'canary'],
  SERVICE_NOT_FOUND: ['reviews.default'],
  INSTANCE_NOT_FOUND: ['reviews.default', 'reviews-1'],
  INSTANCE_HELD: ['reviews.default', 'reviews-1'],
  NAME_IS_ALIAS: ['shop.default', 'reviews.default'],
  AGENT_NOT_FOUND: ['web-1'],
  REVISION_NOT_FOUND: [7],
  ROUTE_PATH_NOT_FOUND: ['/api/v2'],
  METHOD_NOT_ALLOWED: ['PATCH', 'GET, PUT, DELETE'],
  BODY_TOO_LARGE: [4_194_304],
  INVALID_REQUEST: [1],
  UNSUPPORTED_MEDIA_TYPE: ['text/html', 'application/json'],
  INVALID_REGISTRATION: [1],
  AGENT_ID_TAKEN: ['web-1', 'default'],
  STORE_READ_ONLY: ['the disk is full'],
  STORE_FAILED: ['input/output error'],
  INTERNAL: [],
};

const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

describe('docs/errors.md', () => {
  it('lists the codes of the catalogue in its order, with statuses and sentence', () => {
    const catalogue = Object.entries(errorCodes).map(([code, { http, grpc, text: builder }]) => {
      // The lookup loses which details belong to which code; `examples` is checked against the catalogue above.
      const say = builder as (...details: readonly (string | number)[]) => string;
      return [`\`${code}\``, String(http), grpcNames[grpc], say(...examples[code as ErrorCode])];
    });
    expect(rows.map((cells) => cells.slice(1, 5))).to.deep.equal(catalogue);
  });

  it('says for each code what to do', () => {
    expect(rows.filter((cells) => (cells[5] ?? '').length < 10)).to.deep.equal([]);
  });
});
