import { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import { expect } from 'chai';
import { EventHub, type Timers } from '../../../dashboard-api/events.ts';
import { ApiUnderTest, canary } from './api-under-test.ts';
import { FakeControlPlane } from './fake-control-plane.ts';

/** A stream that takes `room` writes and then says stop. */
class SlowReader extends EventEmitter {
  readonly written: string[] = [];
  room = 0;
  isDestroyed = false;
  isEnded = false;

  write(chunk: Buffer | string): boolean {
    this.written.push(String(chunk));
    return --this.room > 0;
  }

  read(room: number): void {
    this.room = room;
    this.emit('drain');
  }

  end(): void {
    this.isEnded = true;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  get stream(): Writable {
    // The hub uses write, end, destroy and events; the rest of a stream would only be in the way.
    return this as unknown as Writable;
  }
}

class HandTimers implements Timers {
  readonly running = new Set<() => void>();
  every(_intervalMs: number, run: () => void): { stop(): void } {
    this.running.add(run);
    return { stop: () => this.running.delete(run) };
  }
  tick(): void {
    for (const run of this.running) run();
  }
}

describe('the event hub', () => {
  const setUp = () => {
    const fake = new FakeControlPlane();
    const timers = new HandTimers();
    return { fake, timers, hub: new EventHub(fake.ports.events, timers) };
  };

  it('listens to the mesh only while somebody listens to it', () => {
    const { fake, timers, hub } = setUp();
    const reader = new SlowReader();
    expect([fake.listeners, timers.running.size]).to.deep.equal([0, 0]);
    hub.add(reader.stream, {});
    hub.add(new SlowReader().stream, {});
    expect([fake.listeners, timers.running.size]).to.deep.equal([1, 1]);
    hub.close();
    expect([fake.listeners, timers.running.size, hub.clients, reader.isEnded]).to.deep.equal([0, 0, 0, true]);
  });

  it('tells a slow reader the newest state of each thing, and nothing twice', () => {
    const { fake, hub } = setUp();
    const reader = new SlowReader();
    hub.add(reader.stream, { revision: 0 });
    for (const applied of [1, 2, 3]) fake.setAgent({ id: 'web-1', revision: { sent: 3, applied } });
    fake.setAgent({ id: 'web-2' });
    expect(reader.written).to.have.length(1);
    reader.read(10);
    const told = reader.written.slice(1).map((text) => JSON.parse(text.split('data: ')[1] ?? ''));
    expect(told.map(({ id, revision }) => [id, revision.applied])).to.deep.equal([
      ['web-1', 3],
      ['web-2', 0],
    ]);
  });

  it('goes on catching up where the reader stopped again', () => {
    const { fake, hub } = setUp();
    const reader = new SlowReader();
    hub.add(reader.stream, {});
    for (const id of ['a', 'b', 'c']) fake.setAgent({ id });
    reader.read(2);
    expect(reader.written).to.have.length(3);
    reader.read(9);
    expect(reader.written).to.have.length(4);
  });

  it('lets a reader go that is too far behind, and keeps the others', () => {
    const { fake, hub } = setUp();
    const slow = new SlowReader();
    const quick = new SlowReader();
    quick.room = Number.POSITIVE_INFINITY;
    hub.add(slow.stream, {});
    hub.add(quick.stream, {});
    for (let index = 0; index <= 2_000; index++) fake.setAgent({ id: `a${index}` });
    expect([slow.isDestroyed, quick.isDestroyed, hub.clients]).to.deep.equal([true, false, 1]);
    expect(slow.written).to.have.length(1);
    expect(quick.written).to.have.length(2_002);
  });

  it('sends a comment when nothing happens, and lets a reader go that takes none of them', () => {
    const { timers, hub } = setUp();
    const dead = new SlowReader();
    const alive = new SlowReader();
    alive.room = 100;
    hub.add(dead.stream, {});
    hub.add(alive.stream, {});
    for (let beat = 0; beat < 4; beat++) timers.tick();
    expect([dead.isDestroyed, alive.isDestroyed]).to.deep.equal([true, false]);
    expect(alive.written.slice(1)).to.deep.equal(Array.from({ length: 4 }, () => ': heartbeat\n\n'));
  });

  it('refuses more streams than it has room for', () => {
    const { hub } = setUp();
    for (let index = 0; index < 500; index++) {
      hub.assertRoom();
      hub.add(new SlowReader().stream, {});
    }
    expect(() => hub.assertRoom()).to.throw('500 event streams are open');
  });
});

describe('GET /events', () => {
  const api = new ApiUnderTest();
  before(() => api.start());
  after(() => api.stop());

  it('streams what happens from hello on, until the server shuts down', async () => {
    const response = await fetch(`${api.url}/api/v1/events`);
    expect(response.headers.get('content-type')).to.equal('text/event-stream; charset=utf-8');
    await api.expect(200, '/api/v1/apply', { yaml: canary(10) });
    api.fake.setAgent({ id: 'web-1' });
    await api.stop();
    const events = (await response.text())
      .trim()
      .split('\n\n')
      .map((text) => {
        const [, name = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(text) ?? [];
        return [name, JSON.parse(data)];
      });
    expect(events.map(([name]) => name)).to.deep.equal(['hello', 'revision', 'agent']);
    expect(events[0]?.[1]).to.deep.equal({ revision: 0 });
    expect(events[1]?.[1].changes).to.deep.equal([
      { kind: 'Route', namespace: 'default', name: 'canary', action: 'created' },
    ]);
    expect(events[2]?.[1]).to.deep.include({ id: 'web-1', gone: false });
  });
});
