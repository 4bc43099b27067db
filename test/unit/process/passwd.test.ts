import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { accountOf } from '../../../process/passwd.ts';

describe('the account of a user', () => {
  let folder: string;
  let file: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-'));
    file = join(folder, 'passwd');
    writeFileSync(file, 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:Web, Team:/srv/web:/bin/false\nbare:x:7:7::\n');
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const { uid, account } of [
    { uid: 1000, account: { HOME: '/srv/web', USER: 'web', LOGNAME: 'web' } },
    { uid: 7, account: { HOME: '/', USER: 'bare', LOGNAME: 'bare' } },
    { uid: 4242, account: { HOME: '/', USER: '4242', LOGNAME: '4242' } },
  ]) {
    it(`${uid} is ${account.USER} at ${account.HOME}`, () => expect(accountOf(uid, file)).to.deep.equal(account));
  }

  it('is its number where nothing is known of users', () =>
    expect(accountOf(5, join(folder, 'none'))).to.deep.equal({ HOME: '/', USER: '5', LOGNAME: '5' }));
});
