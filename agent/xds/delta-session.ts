/**
 * The protocol of one delta ADS stream, as a function: events in, effects out; no socket, no clock. The order of first
 * messages, the batch and its mark, and refusals are design.md section 5.
 */
import type { Input } from '../../proto/load.ts';
import { toNumber } from '../../proto/load.ts';
import { toStruct } from '../../proto/struct.ts';
import { type DeltaDiscoveryRequest, type DeltaDiscoveryResponse, type Node, Refusal } from '../../proto/types.ts';
import type { MeshView, RefusedResource } from '../view/mesh-view.ts';
import { namesThatNeed } from './closure.ts';
import { decodeMark } from './decode.ts';
import {
  closureKinds,
  copyTables,
  type HeldMesh,
  holdsRoutes,
  kindOf,
  markName,
  markTypeUrl,
  nothingHeld,
  type Tables,
  typeUrls,
  versionsOf,
} from './resources.ts';
import { StagedBatch } from './staged-batch.ts';

export type Request = Input<DeltaDiscoveryRequest>;

/** Why a mark was refused as a whole: '' when it is about single resources. */
export type RefusalCondition = '' | 'foreign-store' | 'older-store';

export type Effect =
  | { readonly do: 'send'; readonly request: Request }
  /** To be sent once all requests are routed by what was swapped in before: the ACK of a mark. */
  | { readonly do: 'confirm'; readonly request: Request }
  /** A commit mark: use this from now on. `answers` holds each name that is settled by it. */
  | { readonly do: 'swap'; readonly held: HeldMesh; readonly view: MeshView; readonly answers: NameAnswers }
  /** Names were let go of: use this from now on. */
  | { readonly do: 'shrink'; readonly held: HeldMesh; readonly view: MeshView }
  /** Nothing changed. `names` are those asked for that cannot be used for what was refused. */
  | {
      readonly do: 'refuse';
      readonly condition: RefusalCondition;
      readonly message: string;
      readonly resources: readonly RefusedResource[];
      readonly names: readonly string[];
    }
  | { readonly do: 'complain'; readonly message: string };

export type NameAnswers = ReadonlyMap<string, 'known' | 'absent'>;

/** The view of what is held, or what cannot be used of it. Pure. */
export type CreateView = (
  held: HeldMesh,
  previous: MeshView,
) => { readonly view: MeshView } | { readonly refused: readonly RefusedResource[] };

export interface AgentIdentity {
  readonly id: string;
  readonly service: string;
  readonly namespace: string;
  readonly zone: string;
  readonly version: string;
  readonly hasApp: boolean;
}

export interface SessionOptions {
  readonly identity: AgentIdentity;
  readonly held: HeldMesh;
  readonly view: MeshView;
  /** All names to begin with. */
  readonly names: readonly string[];
  /** The mesh to obey in place of the one that is held: set only when this server announced it and the operator accepts it. */
  readonly acceptMesh: string | undefined;
  readonly createView: CreateView;
}

/** The code of every NACK: INTERNAL, as Envoy has it. */
const refusalCode = 13;
/** A reason is for people; resource names are for the server, and are all there. */
const longestReason = 500;

export class DeltaSession {
  readonly #options: SessionOptions;
  #held: HeldMesh;
  /** Of what is held, and then of each mark that is used; nothing, until the first one, when no routes were held. */
  #obeyed: { readonly meshId: string; readonly revision: number };
  #view: MeshView;
  #batch = new StagedBatch();
  /** Names this stream is subscribed to. */
  readonly #wanted: Set<string>;
  /** Names that the server has not answered yet. Invariant: part of `#wanted`. */
  readonly #asked: Set<string>;
  /**
   * Names whose answer may be silence: of the first subscription, what the first batch neither sends nor removes is held
   * as it is, or does not exist. Names that came later, or were refused, need their own answer.
   */
  readonly #settledBySilence: Set<string>;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#held = options.held;
    this.#obeyed = holdsRoutes(options.held) ? options.held : nothingHeld;
    this.#view = options.view;
    this.#wanted = new Set(options.names);
    this.#asked = new Set(options.names);
    this.#settledBySilence = new Set(options.names);
  }

  /** What is held, the names, and last the mark: only then the server answers. */
  start(): Effect[] {
    const { tables } = this.#held;
    const requests: Request[] = closureKinds.map((kind) => ({
      typeUrl: typeUrls[kind],
      initialResourceVersions: versionsOf(tables, kind),
    }));
    requests.push({
      typeUrl: typeUrls.names,
      resourceNamesSubscribe: [...this.#wanted],
      initialResourceVersions: versionsOf(tables, 'names'),
    });
    requests.push({ typeUrl: markTypeUrl, resourceNamesSubscribe: [markName] });
    return requests.map((request, index) => send(index === 0 ? { node: this.#node(), ...request } : request));
  }

  onResponse(response: DeltaDiscoveryResponse): Effect[] {
    if (response.typeUrl === markTypeUrl) return this.#onMark(response);
    const kind = kindOf(response.typeUrl);
    if (kind === undefined) {
      // Nothing of it is used, so it spoils no batch; but it must have its verdict.
      const message = `a response of type "${response.typeUrl}" was not asked for`;
      return [{ do: 'complain', message }, nack(response, message, [])];
    }
    const refused = this.#batch.add(kind, response, this.#wanted);
    return [refused.length === 0 ? ack(response) : nack(response, summary(refused), refused)];
  }

  /** Asks for more names. */
  subscribe(names: readonly string[]): Effect[] {
    for (const name of names) {
      this.#wanted.add(name);
      this.#asked.add(name);
    }
    return names.length === 0 ? [] : [send({ typeUrl: typeUrls.names, resourceNamesSubscribe: names })];
  }

  /**
   * Lets go of names at once: the server forgets on this request that we hold them, so keeping one would be keeping it
   * for ever. What followed from them goes with the server's next batch.
   */
  unsubscribe(names: readonly string[]): Effect[] {
    if (names.length === 0) return [];
    const isHeld = names.some((name) => this.#held.tables.names.has(name));
    for (const name of names) {
      this.#wanted.delete(name);
      this.#asked.delete(name);
      this.#settledBySilence.delete(name);
      this.#batch.drop(name);
    }
    const request = send({ typeUrl: typeUrls.names, resourceNamesUnsubscribe: names });
    if (!isHeld) return [request];
    this.#held = { ...this.#held, tables: without(this.#held.tables, names) };
    const created = this.#options.createView(this.#held, this.#view);
    // A view cannot break by losing a name; if it does, the old one serves until the next mark.
    if ('view' in created) this.#view = created.view;
    return [{ do: 'shrink', held: this.#held, view: this.#view }, request];
  }

  #onMark(response: DeltaDiscoveryResponse): Effect[] {
    const batch = this.#batch;
    this.#batch = new StagedBatch();
    const mark = decodeMark(response.resources);
    if (typeof mark === 'string') return this.#refuseMark(response, batch, '', mark);

    const revision = toNumber(mark.revision);
    const fault = this.#faultOf(mark.meshId, revision);
    if (fault !== undefined) return this.#refuseMark(response, batch, fault.condition, fault.message);
    if (batch.refused.length > 0) return this.#refuse(response, batch, '', batch.refused);

    const held = { meshId: mark.meshId, revision, tables: batch.appliedTo(this.#held.tables) };
    const created = this.#options.createView(held, this.#view);
    if ('refused' in created) return this.#refuse(response, batch, '', created.refused);

    const answers = this.#settle(batch, held.tables);
    this.#held = held;
    this.#obeyed = held;
    this.#view = created.view;
    return [
      { do: 'swap', held, view: created.view, answers },
      { do: 'confirm', request: ackOf(response) },
    ];
  }

  /** What speaks against a mark as such: an emptied, foreign or restored server must not change what is held. */
  #faultOf(meshId: string, revision: number) {
    const held = this.#obeyed;
    if (held.meshId === '') return undefined;
    if (held.meshId !== meshId) {
      if (meshId === this.#options.acceptMesh) return undefined;
      const message = `the mark is of mesh ${meshId}; this agent holds mesh ${held.meshId} and keeps it`;
      return { condition: 'foreign-store', message } as const;
    }
    if (revision >= held.revision) return undefined;
    const message = `the mark is of revision ${revision}; this agent holds revision ${held.revision} and keeps it`;
    return { condition: 'older-store', message } as const;
  }

  #settle(batch: StagedBatch, tables: Tables): NameAnswers {
    const answers = new Map<string, 'known' | 'absent'>();
    for (const name of this.#wanted) {
      if (!batch.answers(name) && !this.#settledBySilence.has(name)) continue;
      this.#asked.delete(name);
      answers.set(name, tables.names.has(name) ? 'known' : 'absent');
    }
    this.#settledBySilence.clear();
    return answers;
  }

  #refuseMark(
    response: DeltaDiscoveryResponse,
    batch: StagedBatch,
    condition: RefusalCondition,
    reason: string,
  ): Effect[] {
    return this.#refuse(response, batch, condition, [{ typeUrl: markTypeUrl, name: markName, reason }]);
  }

  #refuse(
    response: DeltaDiscoveryResponse,
    batch: StagedBatch,
    condition: RefusalCondition,
    resources: readonly RefusedResource[],
  ): Effect[] {
    const message = summary(resources);
    const names = namesThatNeed(resources, batch.appliedTo(this.#held.tables)).filter((name) => this.#asked.has(name));
    for (const name of names) this.#settledBySilence.delete(name);
    return [{ do: 'refuse', condition, message, resources, names }, nack(response, message, resources)];
  }

  #node(): Input<Node> {
    const { id, service, namespace, zone, version, hasApp } = this.#options.identity;
    const { meshId, revision } = this.#presented();
    return {
      id,
      cluster: service,
      userAgentName: 'sluice',
      userAgentVersion: version,
      locality: { zone },
      metadata: toStruct({ sluice: { namespace, service, app: hasApp, meshId, revision } }),
    };
  }

  /** An agent that was told to obey another mesh presents none, so that no server takes it for a stranger. */
  #presented(): { readonly meshId: string; readonly revision: number } {
    const { acceptMesh } = this.#options;
    const obeysAnother = acceptMesh !== undefined && acceptMesh !== this.#obeyed.meshId;
    return obeysAnother ? nothingHeld : this.#obeyed;
  }
}

function without(tables: Tables, names: readonly string[]): Tables {
  const left = copyTables(tables);
  for (const name of names) left.names.delete(name);
  return left;
}

function send(request: Request): Effect {
  return { do: 'send', request };
}

function ack(response: DeltaDiscoveryResponse): Effect {
  return send(ackOf(response));
}

function ackOf({ typeUrl, nonce }: DeltaDiscoveryResponse): Request {
  return { typeUrl, responseNonce: nonce };
}

function nack(
  { typeUrl, nonce }: DeltaDiscoveryResponse,
  message: string,
  refused: readonly RefusedResource[],
): Effect {
  const resources = refused.map((resource) => ({ ...resource, reason: resource.reason.slice(0, longestReason) }));
  const details = [{ type_url: Refusal.typeUrl, value: Refusal.encode({ resources }) }];
  const errorDetail = { code: refusalCode, message, details: resources.length === 0 ? [] : details };
  return send({ typeUrl, responseNonce: nonce, errorDetail });
}

/** One line for people: the first reason, and how many more there are. */
function summary([first, ...others]: readonly RefusedResource[]): string {
  const kind = first?.typeUrl.split('.').at(-1) ?? '';
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `${kind} ${first?.name ?? ''}: ${first?.reason ?? ''}`.slice(0, longestReason) + more;
}
