/** A data directory that cannot be used, and a disk that is full: what the server says, and that nothing is lost. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openTables } from '../../server/store/tables.ts';
import { Processes, runSluice, type ServerProcess, startServer, useProcesses } from '../support/processes.ts';
import { SmallDisk, whyNoDisk } from '../support/small-disk.ts';

describe('a data directory', () => {
  const processes = useProcesses();
  /** Of a server that was killed after it had accepted a revision. */
  const earlier = new Processes();
  let good: string;

  before(async () => {
    const server = await startServer(earlier);
    expect((await apply(server, 'reviews')).status).to.equal(200);
    await server.process.kill();
    good = server.dataDir;
  });

  after(() => earlier.close());

  /** A copy of the good one, with something done to it. */
  function spoilt(spoil: (dataDir: string) => void): string {
    const dataDir = processes.makeFolder('spoilt');
    cpSync(good, dataDir, { recursive: true });
    spoil(dataDir);
    return dataDir;
  }

  async function refusal(dataDir: string) {
    const flags = ['--http', '127.0.0.1:0', '--grpc', '127.0.0.1:0', '--data-dir', dataDir];
    const { code, stderr } = await runSluice(processes, ['server', ...flags]);
    const said = stderr.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    return { code, message: String(said.find(({ level }) => level === 60)?.msg) };
  }

  it('that another server is using is refused, naming its process; that server goes on', async () => {
    const server = await startServer(processes);
    const { code, message } = await refusal(server.dataDir);
    expect(code).to.equal(1);
    expect(message).to.contain(server.dataDir).and.contain('another server');
    expect(message).to.contain(`process ${server.process.pid}`).and.contain('--data-dir');
    expect((await apply(server, 'reviews')).status).to.equal(200);
  });

  it('is free again at once when its server was killed', async () => {
    const { dataDir, process } = await startServer(processes);
    await process.kill();
    const again = await startServer(processes, { dataDir });
    expect((await apply(again, 'reviews')).body.revision).to.equal(1);
  });

  const half = (dataDir: string) =>
    truncateSync(storeOf(dataDir), Math.floor(readFileSync(storeOf(dataDir)).length / 2));
  for (const { name, spoil, says } of [
    { name: 'whose store.mdb is cut in half', spoil: half, says: /damaged .*restore a backup/ },
    {
      name: 'whose store.mdb is cut to a few bytes',
      spoil: (dataDir: string) => truncateSync(storeOf(dataDir), 100),
      says: /damaged .*restore a backup/,
    },
    {
      name: 'whose store.mdb is empty',
      spoil: (dataDir: string) => truncateSync(storeOf(dataDir), 0),
      says: /damaged .*0 bytes.*restore a backup/,
    },
    {
      name: 'whose store.mdb is garbage',
      spoil: (dataDir: string) =>
        writeFileSync(storeOf(dataDir), createHash('sha512').update('x').digest('hex').repeat(300)),
      says: /damaged .*restore a backup/,
    },
    { name: 'whose store.mdb has another format', spoil: withFormat2, says: /has format 2, this server reads 1/ },
    { name: 'whose store.mdb has no record of a store', spoil: withoutMeta, says: /damaged .*no store of Sluice/ },
  ]) {
    it(`${name} is refused with a sentence, and stays as it is`, async () => {
      const dataDir = spoilt(spoil);
      const before = hashOf(dataDir);
      const { code, message } = await refusal(dataDir);
      expect(code).to.equal(1);
      expect(message).to.contain(dataDir).and.match(says);
      expect(hashOf(dataDir)).to.equal(before);
    });
  }

  for (const { name, pathIn } of [
    { name: 'that is a file', pathIn: (folder: string) => makeFile(join(folder, 'file')) },
    { name: 'below a file', pathIn: (folder: string) => join(makeFile(join(folder, 'file')), 'data') },
    { name: 'where none can be made', pathIn: () => '/proc/sluice/data' },
  ]) {
    it(`${name} is refused with a sentence`, async () => {
      const path = pathIn(processes.folder);
      const { code, message } = await refusal(path);
      expect(code).to.equal(1);
      expect(message).to.contain(`cannot open the data directory ${path}`);
    });
  }

  describe('on a disk of its own', () => {
    let disk: SmallDisk;

    before(function () {
      const reason = whyNoDisk();
      if (reason === undefined) return;
      console.log(`      skipped, for no disk can be mounted here: ${reason}`);
      this.skip();
    });

    beforeEach(() => {
      disk = new SmallDisk(4 * 1024 * 1024);
    });

    // The processes first: what they have open would be gone.
    afterEach(async () => {
      await processes.close();
      disk.unmount();
    });

    function onDisk(): string {
      const dataDir = join(disk.path, 'data');
      cpSync(good, dataDir, { recursive: true });
      return dataDir;
    }

    for (const { name, dataDirOf } of [
      { name: 'with a store', dataDirOf: onDisk },
      { name: 'without a store', dataDirOf: () => makeEmpty(join(disk.path, 'data')) },
      { name: 'without a directory', dataDirOf: () => join(disk.path, 'data') },
    ]) {
      it(`${name} that is read-only is refused with a sentence`, async () => {
        const dataDir = dataDirOf();
        disk.makeReadOnly();
        const { code, message } = await refusal(dataDir);
        expect(code).to.equal(1);
        expect(message)
          .to.contain(dataDir)
          .and.match(/read-only/i);
      });

      it(`${name} that is full at the start is refused with a sentence, and starts when there is room`, async () => {
        const dataDir = dataDirOf();
        disk.fill();
        const { code, message } = await refusal(dataDir);
        expect(code).to.equal(1);
        expect(message)
          .to.contain(dataDir)
          .and.match(/is full|ENOSPC/);
        disk.makeRoom();
        const server = await startServer(processes, { dataDir });
        expect((await apply(server, 'ratings')).status).to.equal(200);
      });
    }

    it('that fills up at run time refuses what is new, keeps what was there, says so, and recovers', async () => {
      const server = await startServer(processes, { dataDir: onDisk() });
      const history = await get(server, '/api/v1/revisions');
      disk.fill();
      const refused = await applyMuch(server);
      expect(refused).to.deep.include({ status: 507 });
      expect(refused.body).to.deep.include({ code: 'STORE_READ_ONLY' });
      expect(refused.body.detail).to.match(/is full.*nothing was changed/);
      expect(await get(server, '/readyz')).to.deep.include({ ready: true, revision: 1 });
      expect((await get(server, '/readyz')).readOnly).to.match(/is full/);
      expect(await get(server, '/api/v1/revisions')).to.deep.equal(history);
      // Registrations go on: what cannot be stored now is stored later.
      expect((await register(server, 'r1')).status).to.equal(201);

      disk.makeRoom();
      expect(await applyMuch(server)).to.deep.include({ status: 200 });
      expect(await get(server, '/readyz')).to.deep.include({ ready: true, revision: 2, readOnly: false });
      await server.process.logged('all leases are stored again');
      await server.process.kill();

      const again = await startServer(processes, { dataDir: server.dataDir });
      expect(await get(again, '/readyz')).to.deep.include({
        revision: 2,
        meshId: (await get(again, '/readyz')).meshId,
      });
    });

    it('that fills up at run time and whose server is then killed has everything that was acknowledged', async () => {
      const server = await startServer(processes, { dataDir: onDisk() });
      expect((await apply(server, 'ratings')).body.revision).to.equal(2);
      disk.fill();
      expect((await applyMuch(server)).status).to.equal(507);
      await server.process.kill();
      disk.makeRoom();
      const again = await startServer(processes, { dataDir: server.dataDir });
      const { items } = await get(again, '/api/v1/revisions');
      expect(items.map(({ revision }: { revision: number }) => revision)).to.deep.equal([2, 1]);
    });
  });
});

interface Answer {
  readonly status: number;
  // Each test knows which answer it asked for.
  readonly body: Readonly<Record<string, unknown>> & { readonly detail?: string };
}

async function send(server: ServerProcess, method: string, path: string, body: string): Promise<Answer> {
  const response = await fetch(`${server.api}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body,
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

async function get(server: ServerProcess, path: string) {
  return JSON.parse(await (await fetch(`${server.api}${path}`)).text());
}

function apply(server: ServerProcess, name: string, labels: Record<string, string> = {}): Promise<Answer> {
  const document = { apiVersion: 'sluice.dev/v1', kind: 'Service', metadata: { name, labels }, spec: {} };
  return send(server, 'POST', '/api/v1/apply', JSON.stringify(document));
}

/** More than fits into what LMDB has left over of earlier transactions. */
function applyMuch(server: ServerProcess): Promise<Answer> {
  const labels = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`key-${index}`, 'x'.repeat(60)]));
  return apply(server, 'ratings', labels);
}

function register(server: ServerProcess, id: string): Promise<Answer> {
  const body = JSON.stringify({ address: '127.0.0.1', port: 8080, ttl: '60s' });
  return send(server, 'PUT', `/api/v1/services/reviews/instances/${id}`, body);
}

function storeOf(dataDir: string): string {
  return join(dataDir, 'store.mdb');
}

function hashOf(dataDir: string): string {
  return createHash('sha256')
    .update(readFileSync(storeOf(dataDir)))
    .digest('hex');
}

function makeEmpty(path: string): string {
  mkdirSync(path);
  return path;
}

function makeFile(path: string): string {
  writeFileSync(path, '');
  return path;
}

function withFormat2(dataDir: string): void {
  const { root, meta } = openTables(storeOf(dataDir));
  const own = meta.get('meta');
  root.transactionSync(() => own && meta.putSync('meta', { ...own, format: 2 }));
  void root.close();
}

function withoutMeta(dataDir: string): void {
  const { root, meta } = openTables(storeOf(dataDir));
  root.transactionSync(() => meta.removeSync('meta'));
  void root.close();
}
