import { expect } from 'chai';
import { notYet } from '../../../model/not-yet.ts';
import { faultsOf, routeWith, service, trafficPolicy } from './reading.ts';

/** A valid use of a value that is not in effect, for every field in the table, by its path there. */
const uses: Readonly<Record<string, object>> = {
  'spec.hops': service({ hops: 'client' }),
  'spec.instanceAddress': service({ instanceAddress: 'keep' }),
};

describe('a value that is not in effect yet', () => {
  for (const { path, inEffect } of notYet) {
    it(`of ${path} is refused with its path, and with nothing else to say`, () => {
      const where = path.replaceAll('.*', '[0]');
      expect(faultsOf(uses[path])).to.deep.equal([`${where}: not supported yet; use ${inEffect.join(' or ')}`]);
    });
  }

  it('is named beside other faults', () => {
    expect(faultsOf(service({ hops: 'client', aliases: ['-'] }))).to.have.length(2);
  });

  it('that is wrong in itself is not named twice', () => {
    expect(faultsOf(service({ hops: 'none' }))).to.deep.equal([
      'spec.hops: must be one of both, client, server, direct; found "none"',
    ]);
  });

  for (const { name, document } of [
    { name: 'protocol http', document: service({ ports: [{ name: 'a', port: 80, protocol: 'http' }] }) },
    { name: 'protocol tcp', document: service({ ports: [{ name: 'a', port: 80, protocol: 'tcp' }] }) },
    { name: 'protocol grpc', document: service({ ports: [{ name: 'a', port: 80, protocol: 'grpc' }] }) },
    { name: 'hops both', document: service({ hops: 'both' }) },
    { name: 'instanceAddress balance', document: service({ instanceAddress: 'balance' }) },
    { name: 'maglev', document: trafficPolicy({ loadBalancer: { policy: 'maglev' } }) },
    { name: 'a retry', document: routeWith({ retry: { attempts: 1, on: ['reset'] } }) },
  ]) {
    it(`does not keep ${name} from being in effect`, () => expect(faultsOf(document)).to.deep.equal([]));
  }
});
