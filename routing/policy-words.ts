/** A route's policy in sentences, for explanations. */
import { canonicalDuration } from '../model/duration.ts';
import { quote } from '../model/problem.ts';
import { clusterWords } from './cluster-words.ts';
import type { FaultPolicy } from './fault-policy.ts';
import type { HeaderEdits } from './header-edits.ts';
import type { Redirect } from './redirect.ts';
import type { RouteRequest } from './request.ts';
import type { RetryPolicy } from './retry-policy.ts';
import type { RoutePolicy } from './route-policy.ts';

/** One sentence for each thing that the policy does to this request, which is addressed to `host`; none for the plain one. */
export function policyWords(policy: RoutePolicy, request: RouteRequest, host: string): string[] {
  const { timeoutMs, retry, mirrors, fault, requestHeaders, responseHeaders, rewrite, redirect } = policy;
  return [
    ...(redirect === undefined ? [] : [redirectWords(redirect, request, host)]),
    ...(timeoutMs === 0 ? [] : [`ends after ${canonicalDuration(timeoutMs)}`]),
    ...(retry === undefined ? [] : [retryWords(retry)]),
    ...(fault === undefined ? [] : faultWords(fault)),
    ...mirrors.map(({ cluster, percent }) => `${percent} % are copied to ${clusterWords(cluster)}`),
    ...(rewrite?.changesPath ? [`the path becomes ${quote(rewrite.path(request.path))}`] : []),
    ...(rewrite?.host === undefined ? [] : [`the host becomes ${quote(rewrite.host)}`]),
    ...headerWords('request', requestHeaders),
    ...headerWords('response', responseHeaders),
  ];
}

function redirectWords({ status, location }: Redirect, request: RouteRequest, host: string): string {
  return `answered with ${status} to ${location({ scheme: 'http', host, path: request.path, query: request.query })}`;
}

function retryWords(retry: RetryPolicy): string {
  const on = [
    ...(retry.onConnectFailure ? ['connect-failure'] : []),
    ...(retry.onRefused ? ['refused'] : []),
    ...(retry.onReset ? ['reset'] : []),
    ...[...retry.statuses].sort((a, b) => a - b),
  ];
  const each = retry.perTryTimeoutMs === 0 ? '' : `, each try for ${canonicalDuration(retry.perTryTimeoutMs)}`;
  return `tried again up to ${retry.attempts} times on ${on.join(', ')}${each}`;
}

function faultWords({ delay, abort }: FaultPolicy): string[] {
  return [
    ...(delay === undefined ? [] : [`${delay.percent} % are delayed by ${canonicalDuration(delay.ms)}`]),
    ...(abort === undefined ? [] : [`${abort.percent} % are answered with ${abort.status}`]),
  ];
}

function headerWords(of: 'request' | 'response', edits: HeaderEdits | undefined): string[] {
  if (edits === undefined) return [];
  const { set, add, remove } = edits;
  return [
    ...remove.map((name) => `${of} header ${quote(name)} is removed`),
    ...set.map(([name, value]) => `${of} header ${quote(name)} is set to ${quote(value)}`),
    ...add.map(([name, value]) => `${of} header ${quote(name)} is added with ${quote(value)}`),
  ];
}
