/** What a foreign client has of one type, for people to look at: put together from what its subscription deviates in. */
import type { HeldResource } from './session.ts';
import type { Subscription } from './subscription.ts';

export function* heldResources(subscription: Subscription<unknown>): Generator<HeldResource> {
  const { typeUrl, refusals, verdicts } = subscription;
  const underWay = verdicts.namesUnderWay();
  for (const name of namesIn(subscription)) {
    const held = subscription.held(name);
    const version = held?.version ?? '';
    const refused = refusals.all.get(name);
    const common = { typeUrl, name, version, refused: undefined, resource: held?.resource };
    if (version === '') yield { ...common, state: 'requested' };
    else if (underWay.has(name)) yield { ...common, state: 'sent' };
    else if (refused?.version === version) yield { ...common, state: 'nacked', refused };
    else yield { ...common, state: 'acked' };
  }
}

/** What it asked for by name, what there is of it, and what it may still have. */
function namesIn(subscription: Subscription<unknown>): Set<string> {
  const names = new Set(subscription.names);
  for (const { name } of subscription.covered()) names.add(name);
  for (const [name] of subscription.behind()) names.add(name);
  return names;
}
