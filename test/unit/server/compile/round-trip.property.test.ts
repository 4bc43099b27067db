import { expect } from 'chai';
import fc from 'fast-check';
import { durationMs } from '../../../../model/duration.ts';
import type { HeaderChange, PathChange, Rule } from '../../../../model/route.ts';
import { defaultPorts } from '../../../../model/service.ts';
import { RouteConfiguration } from '../../../../proto/types.ts';
import type { HeaderEdits } from '../../../../routing/header-edits.ts';
import { sortRules } from '../../../../routing/precedence.ts';
import type { RoutePolicy } from '../../../../routing/route-policy.ts';
import { createRouteTable, type RouteTable } from '../../../../routing/route-table.ts';
import { compileRoutes } from '../../../../server/compile/routes.ts';
import { arbitraryRule } from '../../model/arbitraries.ts';
import { resourceOf } from '../../model/reading.ts';

const numRuns = Number(process.env.SLUICE_FUZZ_RUNS ?? 150);

/** The table that an agent makes of a Route with these rules. */
function tableOf(rules: readonly Rule[]): RouteTable {
  const document = resourceOf({
    apiVersion: 'sluice.dev/v1',
    kind: 'Route',
    metadata: { name: 'r' },
    spec: { service: 'reviews', rules },
  });
  const [compiled] = compileRoutes({
    namespace: 'default',
    name: 'reviews',
    domain: 'mesh.local',
    ports: defaultPorts,
    document: undefined,
    routes: document.kind === 'Route' ? [document] : [],
    policies: [],
    virtualIps: [],
    namedSubsets: [],
    portsOf: () => defaultPorts,
  });
  const bytes = compiled?.resource.bytes ?? Buffer.alloc(0);
  return createRouteTable(RouteConfiguration.decode(bytes), undefined, { agentId: 'a' });
}

/** What an agent must read of a rule, taken from the rule itself; functions apart. */
function expectedPolicy({ timeout, retry, mirror = [], fault, headers }: Rule): Partial<RoutePolicy> {
  const ms = (text: string | undefined) => (text === undefined ? 0 : durationMs(text));
  const base = retry?.backoff === undefined ? 25 : durationMs(retry.backoff.base);
  const delay = fault?.delay?.percent ? { ms: ms(fault.delay.duration), percent: fault.delay.percent } : undefined;
  const abort = fault?.abort?.percent ? fault.abort : undefined;
  return {
    timeoutMs: ms(timeout),
    retry: retry && {
      attempts: retry.attempts,
      onConnectFailure: retry.on.includes('connect-failure'),
      onRefused: retry.on.includes('refused'),
      onReset: retry.on.includes('reset'),
      statuses: new Set(retry.on.map(Number).filter(Boolean)),
      perTryTimeoutMs: ms(retry.perTryTimeout),
      backoffBaseMs: base,
      backoffMaxMs: ms(retry.backoff?.max) || 10 * base,
    },
    mirrors: mirror
      .filter(({ percent }) => percent > 0)
      .map(({ subset = '', percent }) => ({ cluster: `reviews.default|http|${subset}`, percent })),
    fault: delay || abort ? { delay, abort } : undefined,
    requestHeaders: expectedEdits(headers?.request),
    responseHeaders: expectedEdits(headers?.response),
  };
}

function expectedEdits(change: HeaderChange | undefined): HeaderEdits | undefined {
  const sorted = (map: Readonly<Record<string, string>> = {}) =>
    Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  const edits = { set: sorted(change?.set), add: sorted(change?.add), remove: [...(change?.remove ?? [])].sort() };
  return Object.values(edits).some((list) => list.length > 0) ? edits : undefined;
}

/** Gateway API's meaning: what stands behind the prefix stays, and slashes at the ends of prefixes do not count. */
function expectedPath(change: PathChange | undefined, prefix: string, path: string): string {
  if (change === undefined) return path;
  if (change.full !== undefined) return change.full;
  const trimmed = (text: string) => (text === '/' ? '' : text);
  return trimmed(change.prefix) + path.slice(trimmed(prefix).length) || '/';
}

describe('what is compiled of a rule', () => {
  it('property: is read by agents as it was written', () => {
    fc.assert(
      fc.property(fc.array(arbitraryRule, { minLength: 1, maxLength: 4 }), (rules) => {
        const table = tableOf(rules);
        const policies = table.routes.map(({ policy: { rewrite: _, redirect: __, ...rest } }) => rest);
        expect(policies).to.deep.equal(sortRules(rules).map(({ rule }) => expectedPolicy(rule)));
        const others = table.routes.map(({ policy: { rewrite, redirect } }) => [rewrite?.host, redirect?.status]);
        expect(others).to.deep.equal(
          sortRules(rules).map(({ rule: { rewrite, redirect } }) => [rewrite?.host, redirect?.status]),
        );
      }),
      { numRuns },
    );
  });

  it('property: changes paths as the Gateway API says, in a rewrite and in a redirect', () => {
    const behind = fc.constantFrom('', '/', '/x', '/x/', '//x', '/x/y.z');
    fc.assert(
      fc.property(arbitraryRule, behind, (rule, rest) => {
        const from = { scheme: 'http', host: 'from', query: '' };
        for (const { match, policy } of tableOf([rule]).routes) {
          const prefix = 'prefix' in match.path ? match.path.prefix : '/path';
          const path = `${prefix}${rest}` || '/';
          const change = rule.rewrite?.path ?? rule.redirect?.path;
          const want = expectedPath(change, prefix, path);
          const host = rule.redirect?.host ?? 'from';
          expect(policy.rewrite?.path(path) ?? want).to.equal(want);
          expect(policy.redirect?.location({ ...from, path }) ?? `http://${host}${want}`).to.equal(
            `http://${host}${want}`,
          );
        }
      }),
      { numRuns },
    );
  });
});
