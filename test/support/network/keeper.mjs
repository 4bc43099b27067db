// @ts-check
/**
 * An application that knows nothing of a mesh: asks each URL over connections that it keeps, and over new ones, one request
 * after the other on each. JavaScript, because it runs as another user, who may read nothing but the checkout.
 *
 *     node keeper.mjs KEPT URL…     writes what it has seen so far, as one line of JSON, for each line that it reads; ends with its input
 */
import { Agent, get } from 'node:http';
import { createInterface } from 'node:readline';

const [, , kept = '1', ...urls] = process.argv;
const seen = { kept: 0, fresh: 0, closed: 0, failures: /** @type {Record<string, number>} */ ({}) };
let isOver = false;

/** @param {string} url @param {Agent | false} agent */
function ask(url, agent) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers: agent ? {} : { connection: 'close' } }, (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => resolve(response.statusCode));
    });
    request.once('error', reject);
  });
}

/** @param {string} url @param {'kept' | 'fresh'} how @param {Agent | false} agent */
async function askOn(url, how, agent) {
  while (!isOver) {
    try {
      const status = await ask(url, agent);
      if (status !== 200) throw new Error(`status ${status}`);
      seen[how]++;
    } catch (error) {
      const text = `${how} ${url}: ${error instanceof Error ? error.message : error}`;
      seen.failures[text] = (seen.failures[text] ?? 0) + 1;
    }
  }
}

for (const url of urls) {
  for (let place = 0; place < Number(kept); place++) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let connections = 0;
    const open = agent.createConnection.bind(agent);
    // One connection is all that it needs: another one means that the first was closed.
    agent.createConnection = (...args) => {
      if (connections++ > 0) seen.closed++;
      return open(...args);
    };
    void askOn(url, 'kept', agent);
  }
  void askOn(url, 'fresh', false);
}
const lines = createInterface({ input: process.stdin });
lines.on('line', () => console.log(JSON.stringify(seen)));
lines.on('close', () => {
  isOver = true;
  process.exit(0);
});
