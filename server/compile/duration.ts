import type { Input } from '../../proto/load.ts';
import type { Duration } from '../../proto/types.ts';

/** Milliseconds as google.protobuf.Duration. */
export function compileDuration(ms: number): Input<Duration> {
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 };
}
