/**
 * Whether the application takes connections: asked at once, then every second, and soon after a request found that it does
 * not. Its state is what callers are told.
 */
import { connect } from 'node:net';
import type { Clock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';

/** - `starting`: never answered yet; `passing`: takes connections; `failing`: did, and does not now. */
export type AppState = 'starting' | 'passing' | 'failing';

export interface AppHealth {
  readonly is: AppState;
  /** Answers in a row that speak against `is`. */
  readonly contrary: number;
}

export const unproven: AppHealth = { is: 'starting', contrary: 0 };

/** One lost connection is an accident and one that succeeds a coincidence: a change of mind takes two in a row. */
const needed = 2;
const intervalMs = 1_000;
const timeoutMs = 1_000;
/** Requests that fail ask for a look; thousands in a second get twenty. */
const soonMs = 50;

/** The first success counts at once: until then nobody is sent here at all. */
export function onProbe(health: AppHealth, isUp: boolean): AppHealth {
  if (health.is === 'starting') return isUp ? { is: 'passing', contrary: 0 } : health;
  if (isUp === (health.is === 'passing')) return { is: health.is, contrary: 0 };
  if (health.contrary + 1 < needed) return { is: health.is, contrary: health.contrary + 1 };
  return { is: isUp ? 'passing' : 'failing', contrary: 0 };
}

/** Whether a connection to the address can be had. Never rejects. */
export type Probe = (address: HostPort, signal: AbortSignal) => Promise<boolean>;

export interface HealthCheckOptions {
  /** Every port of the application; it is up when all of them are. */
  readonly addresses: readonly HostPort[];
  readonly clock: Clock;
  readonly probe: Probe;
  readonly onChange: (state: AppState) => void;
}

export interface HealthCheck {
  readonly state: AppState;
  /** Resolves when it has been asked for the first time. */
  readonly looked: Promise<void>;
  /** Looks within 50 ms: there is reason to believe that the state has changed. */
  lookSoon(): void;
  close(): void;
}

export function startHealthCheck({ addresses, clock, probe, onChange }: HealthCheckOptions): HealthCheck {
  let health = unproven;
  let isClosed = false;
  /** While a look is under way, or is to come soon. */
  let isLooking = true;
  let cancelNext = () => {};
  let current = new AbortController();

  const check = async () => {
    isLooking = true;
    current = new AbortController();
    const cancelTimeout = clock.after(timeoutMs, () => current.abort());
    const answers = await Promise.all(addresses.map((address) => probe(address, current.signal)));
    cancelTimeout();
    if (isClosed) return;
    const before = health.is;
    health = onProbe(health, answers.every(Boolean));
    if (health.is !== before) onChange(health.is);
    isLooking = false;
    cancelNext = clock.after(intervalMs, check);
  };
  const looked = check();

  return {
    get state() {
      return health.is;
    },
    looked,
    lookSoon: () => {
      if (isLooking || isClosed) return;
      isLooking = true;
      cancelNext();
      cancelNext = clock.after(soonMs, check);
    },
    close: () => {
      isClosed = true;
      cancelNext();
      current.abort();
    },
  };
}

export const probeByTcp: Probe = ({ host, port }, signal) =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (isUp: boolean) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(isUp);
    };
    const onAbort = () => settle(false);
    signal.addEventListener('abort', onAbort);
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
