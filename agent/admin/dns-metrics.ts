/** What the name server has done, for Prometheus; nothing when there is none. */
import type { DnsCounters } from '../dns/counters.ts';
import type { AgentReport } from './agent-report.ts';
import { counter, type Family, gauge } from './prometheus-text.ts';

export function dnsFamilies({ dns }: AgentReport): Family[] {
  if (dns === undefined) return [];
  const one = (value: number) => [{ value }];
  const by = (label: string, counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).map(([value, count]) => ({ labels: { [label]: value }, value: count }));
  return [
    counter('sluice_agent_dns_messages_total', 'Messages of clients.', by('protocol', messagesOf(dns))),
    counter('sluice_agent_dns_answers_total', 'What became of questions.', by('from', answersOf(dns))),
    counter('sluice_agent_dns_failures_total', 'Questions without a good answer.', by('reason', failuresOf(dns))),
    counter('sluice_agent_dns_upstream_failures_total', 'Resolvers that did not answer.', one(dns.upstreamFailures)),
    counter('sluice_agent_dns_strangers_total', 'Messages that answered no question.', one(dns.strangers)),
    gauge('sluice_agent_dns_questions_active', 'Questions under way.', one(dns.underWay)),
    gauge('sluice_agent_dns_connections', 'Connections of clients.', one(dns.tcpConnections)),
  ];
}

function messagesOf({ udpMessages, tcpMessages }: DnsCounters) {
  return { udp: udpMessages, tcp: tcpMessages };
}

function answersOf({ ownAnswers, cacheHits, forwarded, joined }: DnsCounters) {
  return { mesh: ownAnswers, cache: cacheHits, resolver: forwarded, 'same-question': joined };
}

function failuresOf({ failures, overflows, refused, dropped }: DnsCounters) {
  return { 'no-answer': failures, 'too-many': overflows, refused, dropped };
}
