import { expect } from 'chai';
import type { Json } from '../../../../proto/struct.ts';
import { ClientViews } from '../../../../server/xds/client-views.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

describe('the views of clients', () => {
  const problemsOf = (metadata: { readonly [key: string]: Json }) => {
    const mesh = new ModelMesh();
    mesh.put(instanceOf('here', 'here-1'));
    const identity = {
      id: 'web-1',
      namespace: 'default',
      service: 'web',
      zone: '',
      userAgent: 'envoy',
      kind: 'envoy' as const,
      version: '',
      hasApp: false,
      presented: { meshId: '', revision: 0 },
      metadata,
    };
    return new ClientViews(mesh.cache, 'mesh.local').viewOf(identity).problems;
  };
  const services = (count: number) => Array.from({ length: count }, (_, n) => `s${n}`);

  for (const { name, metadata, problems } of [
    { name: 'nothing when all is there', metadata: { services: ['here'] }, problems: [] },
    {
      name: 'which service is not there',
      metadata: { services: ['here', 's0'] },
      problems: ['it names s0.default, which is not there: it is served that when it comes'],
    },
    {
      name: 'which two are not there',
      metadata: { services: services(2) },
      problems: ['it names 2 services that are not there (s0.default, s1.default): it is served each when it comes'],
    },
    {
      name: 'in one sentence how many are not there, and the first of them',
      metadata: { services: services(9) },
      problems: [
        'it names 9 services that are not there (s0.default, s1.default, s2.default, s3.default, s4.default, …): ' +
          'it is served each when it comes',
      ],
    },
  ]) {
    it(`say ${name}`, () => expect(problemsOf(metadata)).to.deep.equal(problems));
  }

  it('say of much that cannot be used how much it is', () => {
    const problems = problemsOf({ services: Array.from({ length: 5_000 }, (_, n) => n) });
    expect(problems).to.have.lengthOf(11);
    expect(problems[10]).to.equal('and 4990 more that cannot be used');
  });
});
