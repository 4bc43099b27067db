/** What the access log says of a request: read late, out of the head that came or went out, and of whom was asked. */
import { formatHostPort } from '../../process/host-port.ts';
import { headerKind } from '../http1/header-kind.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { fragment, type JsonLine } from '../telemetry/json-line.ts';
import type { Target } from './destination.ts';
import type { LateHead } from './late-head.ts';

/** Who was asked, and how that went. */
export interface Asking {
  readonly lastTarget: Target | undefined;
  readonly attempts: number;
  readonly connectMs: number;
}

/** `asking`: counts only if the present request was sent to somebody. */
export function describeRequest(line: JsonLine, head: LateHead, asking: Asking): void {
  const sent = head.readSent();
  const asked = head.read() ?? sent;
  line.text('protocol', 'http');
  line.text('method', asked?.method ?? '');
  if (asked === undefined) line.add(noHostAndPath);
  else {
    writeHost(line, asked);
    writePath(line, asked);
  }
  // Ids that the agent has given stand in what went out alone.
  const ids = sent ?? asked;
  writeId(line, ids, 'x-request-id', 'requestId');
  writeId(line, ids, 'traceparent', 'traceparent');
  describeAsking(line, head.wasSent ? asking : nobody);
}

/** Of which there is nothing to read. */
export function describeConnection(line: JsonLine, asking: Asking): void {
  line.text('protocol', 'tcp');
  line.text('method', '');
  line.add(noHostAndPath);
  writeId(line, undefined, 'x-request-id', 'requestId');
  writeId(line, undefined, 'traceparent', 'traceparent');
  describeAsking(line, asking);
}

const nobody: Asking = { lastTarget: undefined, attempts: 0, connectMs: -1 };

const noHostAndPath = fragment((to) => {
  to.text('host', '');
  to.text('path', '');
});

const at = 0x40;
const longestPath = 2_048;

/** As the request names it; what stands before an "@" is left out, for it may be a password. */
function writeHost(line: JsonLine, { bytes, fields, authorityStart, authorityEnd }: RequestHead): void {
  const index = authorityEnd > authorityStart ? -1 : fields.indexOf(headerKind.host);
  const start = index === -1 ? authorityStart : fields.valueStart(index);
  const end = index === -1 ? authorityEnd : fields.valueEnd(index);
  let from = end;
  while (from > start && bytes[from - 1] !== at) from--;
  line.octets('host', bytes, from, end);
}

/** Without the query: secrets stand there. The target of CONNECT is a host and nothing else. */
function writePath(line: JsonLine, head: RequestHead): void {
  const { bytes, pathStart, pathEnd, targetForm } = head;
  if (targetForm === 'authority' || pathStart === pathEnd) return line.text('path', head.path);
  line.octets('path', bytes, pathStart, pathEnd, longestPath);
}

function writeId(
  line: JsonLine,
  head: RequestHead | undefined,
  name: 'x-request-id' | 'traceparent',
  key: string,
): void {
  const index = head?.fields.indexOf(headerKind[name]) ?? -1;
  if (head === undefined || index === -1) return line.text(key, '');
  line.octets(key, head.bytes, head.fields.valueStart(index), head.fields.valueEnd(index));
}

function describeAsking(line: JsonLine, { lastTarget, attempts, connectMs }: Asking): void {
  line.add(lastTarget === undefined ? noTarget : fragmentOf(lastTarget));
  line.number('attempts', attempts);
  line.milliseconds('connectMs', connectMs);
}

const noTarget = targetFragment('', '');
/** Targets are the same objects as long as their instances stay. */
const byTarget = new WeakMap<Target, Buffer>();

function fragmentOf(target: Target): Buffer {
  const known = byTarget.get(target);
  if (known !== undefined) return known;
  const { instance, address, port } = target;
  const made = targetFragment(instance, formatHostPort({ host: address, port }));
  byTarget.set(target, made);
  return made;
}

function targetFragment(instance: string, upstream: string): Buffer {
  return fragment((to) => {
    to.text('instance', instance);
    to.text('upstream', upstream);
  });
}
