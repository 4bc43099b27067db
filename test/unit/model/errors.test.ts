import { expect } from 'chai';
import { MeshError } from '../../../model/errors.ts';

describe('an error that leaves Sluice', () => {
  it('has the sentence and the statuses of its code', () => {
    const error = new MeshError('RESOURCE_NOT_FOUND', ['Route', 'default', 'canary']);
    expect(error).to.include({ name: 'MeshError', code: 'RESOURCE_NOT_FOUND', http: 404, grpc: 5 });
    expect(error.message).to.equal('no Route document named "canary" in namespace "default"');
    expect(error).to.be.instanceOf(Error);
  });

  it('counts its problems and lists them', () => {
    const problems = [
      { file: 'a.yaml', line: 1, column: 2, path: 'kind', message: 'is missing' },
      { path: 'spec', message: 'is missing' },
    ];
    const error = MeshError.ofProblems('INVALID_DOCUMENTS', problems);
    expect(error.problems).to.deep.equal(problems);
    expect(error.toText()).to.equal(
      'the change was refused, nothing changed: 2 faults\na.yaml:1:2: kind: is missing\nspec: is missing',
    );
    expect(MeshError.ofProblems('INVALID_REQUEST', problems.slice(1)).message).to.equal(
      'the request was refused: 1 fault',
    );
  });

  it('is itself when it comes by again', () => {
    const error = new MeshError('NO_DOCUMENTS', []);
    expect(MeshError.from(error)).to.equal(error);
  });

  for (const foreign of [new TypeError('x is undefined'), 'text', undefined, null, { code: 'SERVICE_NOT_FOUND' }]) {
    it(`takes in ${String(foreign)} as INTERNAL, keeping the cause and telling nobody of it`, () => {
      const error = MeshError.from(foreign);
      expect(error).to.include({ code: 'INTERNAL', http: 500, grpc: 13 });
      expect(error.message).to.equal('something unexpected failed; the log says what');
      expect(error.cause).to.equal(foreign);
    });
  }
});
