import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { holdRules } from '../../../agent/rule-holder.ts';

describe('the packet rules of a host', () => {
  const name = `\0sluice-test-${process.pid}`;
  const sentenceOf = (holding: Promise<unknown>) =>
    holding.then(
      () => '',
      (error: Error) => error.message,
    );

  it('are held by one agent, which the next is told of', async () => {
    const letGo = await holdRules(name);
    expect(await sentenceOf(holdRules(name))).to.equal(
      `the packet rules of this host are those of another agent (process ${process.pid}): end it first, or have one agent for several applications, with entries`,
    );
    letGo();
  });

  it('can be held by the next when they are let go of', async () => {
    const letGo = await holdRules(name);
    letGo();
    (await holdRules(name))();
  });

  it('are refused, too, while who has them does not say who it is', async () => {
    const silent = createServer().listen(name);
    await once(silent, 'listening');
    expect(await sentenceOf(holdRules(name))).to.match(
      /^the packet rules of this host are those of another agent: end it/,
    );
    silent.close();
  });
});
