/** The modes of hops, each of which follows each other one: all twelve ordered pairs, in one walk. */
export type Hops = 'both' | 'client' | 'server' | 'direct';

export const hopWalk: readonly Hops[] = [
  'both',
  'client',
  'both',
  'server',
  'both',
  'direct',
  'client',
  'server',
  'client',
  'direct',
  'server',
  'direct',
  'both',
];
