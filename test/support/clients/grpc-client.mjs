// A gRPC client without a sidecar: reads commands as lines of JSON, answers with what came of its calls. The bootstrap is
// read once per process, from GRPC_XDS_BOOTSTRAP. clients/grpc-client.py speaks the same.
import { createInterface } from 'node:readline';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { register } from '@grpc/grpc-js-xds';

register();
const clients = new Map();
const loads = new Map();

function clientOf(target) {
  const present = clients.get(target);
  if (present) return present;
  const client = new Client(target, credentials.createInsecure());
  clients.set(target, client);
  return client;
}

const encode = (value) => Buffer.from(JSON.stringify(value));
const decode = (bytes) => JSON.parse(String(bytes));

function call({ target, method, headers = {}, timeoutMs = 10_000, waitForReady = true }) {
  const metadata = new Metadata({ waitForReady });
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const options = timeoutMs === 0 ? {} : { deadline: Date.now() + timeoutMs };
  return new Promise((resolve) => {
    clientOf(target).makeUnaryRequest(method, encode, decode, {}, metadata, options, (error, answer) =>
      resolve(error ? { code: error.code, text: error.details } : { code: 0, peer: answer.instance }),
    );
  });
}

function tally() {
  return { peers: {}, codes: {}, texts: {} };
}

function count(sum, { code, peer, text }) {
  const add = (map, key) => {
    map[key] = (map[key] ?? 0) + 1;
  };
  add(sum.codes, code);
  if (peer !== undefined) add(sum.peers, peer);
  if (text !== undefined) add(sum.texts, text);
}

async function calls(command) {
  const sum = tally();
  let left = command.times ?? 1;
  const worker = async () => {
    while (left-- > 0) count(sum, await call(command));
  };
  await Promise.all(Array.from({ length: command.parallel ?? 1 }, worker));
  return sum;
}

function load(command) {
  const sum = tally();
  let isOver = false;
  const worker = async () => {
    while (!isOver) {
      count(sum, await call(command));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const workers = Promise.all(Array.from({ length: command.parallel ?? 2 }, worker));
  loads.set(command.name, async () => {
    isOver = true;
    await workers;
    return sum;
  });
  return {};
}

const answers = {
  calls,
  load,
  stop: ({ name }) => loads.get(name)(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const answer = Promise.resolve(answers[command.do](command));
  answer.then((value) => console.log(JSON.stringify({ id: command.id, ...value })));
}
process.exit(0);
