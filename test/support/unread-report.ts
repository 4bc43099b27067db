import type { StreamReport } from '../../server/xds/ads-stream.ts';

const nothing = () => {};

/** What a stream writes down, for tests that do not read it. */
export const unreadReport: StreamReport = {
  onSent: nothing,
  onNoted: nothing,
  onTouched: nothing,
  onApplied: nothing,
  onRefused: nothing,
  onNames: nothing,
  onWaits: nothing,
  onClosed: nothing,
};
