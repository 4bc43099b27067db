import { expect } from 'chai';
import { parseDocuments } from '../../../model/document.ts';
import { resourceKey } from '../../../model/resource.ts';
import type { ResourceChange, RevisionRecord } from '../../../model/revision.ts';
import { recallFormer } from '../../../server/recall.ts';
import { RuleIndex } from '../../../server/rules/rule-index.ts';
import { FormerResources } from '../../../server/snapshot/former-resources.ts';
import { route, service } from './rules/rules-world.ts';

/** What a store has after these revisions. */
class History {
  readonly rules = new RuleIndex();
  readonly #records: RevisionRecord[] = [];
  /** `removed`: "Kind/namespace/name". */
  apply(text: string, ...removed: string[]): void {
    const standing = new Map([...this.rules.all()].map(({ resource }) => [resourceKey(resource), resource]));
    const { resources, problems } = parseDocuments([{ name: 'test.yaml', text }]);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    const changes = [
      ...resources.map(({ resource }): ResourceChange => {
        const { kind, metadata } = resource;
        return {
          kind,
          ...metadata,
          action: 'updated',
          before: standing.get(resourceKey(resource)) ?? null,
          after: resource,
        };
      }),
      ...removed.map((key): ResourceChange => {
        const before = standing.get(key);
        if (before === undefined) throw new Error(`no ${key}`);
        return { kind: before.kind, ...before.metadata, action: 'deleted', before, after: null };
      }),
    ];
    const revision = this.#records.length + 1;
    this.rules.advance(changes, revision);
    this.#records.push({ revision, at: '', by: '', message: '', changes });
  }

  async revisions({ before = Number.POSITIVE_INFINITY, limit }: { readonly before?: number; readonly limit: number }) {
    return this.#records
      .filter(({ revision }) => revision < before)
      .slice(-limit)
      .reverse();
  }

  async recall(): Promise<FormerResources> {
    const former = new FormerResources();
    await recallFormer({
      store: this,
      documents: [...this.rules.all()],
      revision: this.#records.length,
      domain: 'mesh.local',
      former,
    });
    return former;
  }
}

describe('what a server recalls of its history when it starts', () => {
  let history: History;

  beforeEach(() => {
    history = new History();
  });

  it('is each cluster that a revision took away, with its service as it was', async () => {
    history.apply(route('reviews', '{ subset: v1 }'));
    history.apply(route('reviews', '{ subset: v2 }'));
    history.apply(route('reviews', '{ subset: v3 }'));
    const former = await history.recall();
    expect(former.clusters()).to.deep.equal(['reviews.default|http|v2', 'reviews.default|http|v1']);
    const { routes = [] } = former.withCluster('reviews.default|http|v1')?.input ?? {};
    expect(JSON.stringify(routes)).to.include('"subset":"v1"').and.not.include('v2');
  });

  it('is nothing that there is again', async () => {
    history.apply(route('reviews', '{ subset: v1 }'));
    history.apply(route('reviews', '{ subset: v2 }'));
    history.apply(route('reviews', '{ subset: v1 }'));
    expect((await history.recall()).clusters()).to.deep.equal(['reviews.default|http|v2']);
  });

  it('is all of a service that its last document left', async () => {
    history.apply(service('reviews'));
    history.apply('', 'Service/default/reviews');
    expect((await history.recall()).clusters()).to.deep.equal(['reviews.default|http|']);
  });

  it('is a service with the first port that it had', async () => {
    history.apply(service('reviews', portOf(80)));
    history.apply(service('reviews', portOf(81)));
    const former = await history.recall();
    const [before] = former.withFirstPorts(new Set(['reviews.default:80']));
    expect(before?.input.ports.map(({ port }) => port)).to.deep.equal([80]);
    expect(former.withFirstPorts(new Set(['reviews.default:81']))).to.deep.equal([]);
  });

  it('is the newest, as much as can be gone through in a moment', async () => {
    const many = (backend: string) => Array.from({ length: 500 }, (_, index) => route(`s${index}`, backend)).join('');
    history.apply(route('first', '{ subset: v1 }'));
    history.apply(route('first', '{ subset: v2 }'));
    history.apply(many('{ subset: v1 }'));
    history.apply(many('{ subset: v2 }'));
    history.apply(many('{ subset: v3 }'));
    history.apply(route('last', '{ subset: v1 }'));
    history.apply(route('last', '{ subset: v2 }'));
    const former = await history.recall();
    // Of the many the newest change alone, and all that is small.
    for (const cluster of ['last.default|http|v1', 's499.default|http|v2', 'first.default|http|v1']) {
      expect(former.withCluster(cluster), cluster).to.not.equal(undefined);
    }
    expect(former.clusters()).to.have.length(502);
  });
});

function portOf(port: number): string {
  return `{ ports: [ { name: http, port: ${port} } ] }`;
}
