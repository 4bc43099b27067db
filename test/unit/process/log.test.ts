import { expect } from 'chai';
import { createLog, type Logger } from '../../../process/log.ts';
import { secretKeys } from '../../../process/redact.ts';

const secret = 'hunter2';

describe('the log', () => {
  let lines: string[];
  let log: Logger;
  beforeEach(() => {
    lines = [];
    log = createLog('test', 'info', { write: (line) => void lines.push(line) });
  });

  const logged = () => JSON.parse(lines.join(''));

  for (const key of [...secretKeys, 'Authorization']) {
    for (const [where, fields] of Object.entries({
      'at the top': { [key]: secret },
      'one below': { hello: { [key]: secret } },
      'four below': { a: { b: { c: { d: { [key]: secret } } } } },
      'below all that is logged': { a: { b: { c: { d: { e: { f: { [key]: secret } } } } } } },
      'as an object': { hello: { [key]: { value: secret } } },
      'in an array': { requests: [{ headers: [{ [key]: secret }] }] },
      'on an error': { err: Object.assign(new Error('refused'), { request: { headers: { [key]: secret } } }) },
      'on the cause of an error': {
        err: new Error('refused', { cause: Object.assign(new Error('x'), { [key]: secret }) }),
      },
      'on an error inside': { results: [{ error: Object.assign(new Error('refused'), { [key]: secret }) }] },
      'in what an object says of itself': { options: { toJSON: () => ({ [key]: secret }) } },
    })) {
      it(`has no ${key} ${where}`, () => {
        log.error(fields, 'refused');
        expect(lines.join('')).to.contain('refused').and.not.contain(secret);
      });
    }
    it(`has no ${key} of an error that is logged alone`, () => {
      log.error(Object.assign(new Error('refused'), { [key]: secret, details: [{ [key]: secret }] }));
      expect(lines.join('')).to.contain('refused').and.not.contain(secret);
    });
  }

  it('has no token that a child of it is bound to', () => {
    log.child({ token: secret, of: { token: secret } }).info('started');
    expect(lines.join('')).to.contain('started').and.not.contain(secret);
  });

  it('keeps all else as it is, and errors with their stack', () => {
    const at = new Date(0);
    log.warn({ err: Object.assign(new TypeError('no'), { code: 'E1' }), at, ids: [1, 'b'], none: null }, 'said');
    const { err, ...rest } = logged();
    expect(rest).to.deep.include({ msg: 'said', at: '1970-01-01T00:00:00.000Z', ids: [1, 'b'], none: null });
    expect(err).to.include({ type: 'TypeError', message: 'no', code: 'E1' });
    expect(err.stack).to.contain('log.test.ts');
  });

  it('survives what contains itself, and leaves what it was given alone', () => {
    const self: Record<string, unknown> = { token: secret };
    self.self = self;
    log.info({ self }, 'round');
    expect(logged().msg).to.equal('round');
    expect(self.token).to.equal(secret);
  });
});
