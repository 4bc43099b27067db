import { expect } from 'chai';
import { formatProblem } from '../../../../model/problem.ts';
import { planChange } from '../../../../server/rules/plan-change.ts';
import { RuleIndex } from '../../../../server/rules/rule-index.ts';
import { resourceOf, route, service } from '../../model/reading.ts';

const mirrored = (mirror: readonly object[]) => resourceOf(route({ rules: [{ backends: [{}], mirror }] }));
const locate = () => ({ line: 1, column: 1 });

/** A mesh in which `reviews` has one instance and nothing else is running. */
function plan(document: object, rules = new RuleIndex()) {
  const put = [{ resource: resourceOf(document), file: 'a.yaml', locate }];
  const surroundings = {
    domain: 'mesh.local',
    hasInstance: (key: string, labels: object) => key === 'reviews.default' && Object.keys(labels).length === 0,
    subscribers: () => 0,
    clientProblems: () => [],
  };
  return planChange({ put, remove: [] }, rules, surroundings, false);
}

describe('a mirror', () => {
  it('without instances is only warned of: nobody waits for the answer to a copy', () => {
    const mirror = [
      { subset: 'v3', percent: 5 },
      { service: 'audit', percent: 1 },
      { subset: 'v4', percent: 0 },
      { percent: 1 },
    ];
    const { problems, warnings } = plan(route({ rules: [{ backends: [{}], mirror }] }));
    expect(problems).to.deep.equal([]);
    expect(warnings.map(formatProblem)).to.deep.equal([
      'a.yaml:1:1: spec.rules[0].mirror[0]: subset "v3" of service "reviews.default" has no instance, its copies go nowhere',
      'a.yaml:1:1: spec.rules[0].mirror[1]: service "audit.default" has no instance, its copies go nowhere',
    ]);
  });

  it('names a service and a subset like a backend', () => {
    const rules = new RuleIndex([
      { resource: mirrored([{ service: 'audit', subset: 'v1', percent: 1 }]), revision: 1 },
    ]);
    expect(rules.namedSubsets('audit.default')).to.deep.equal(['v1']);
    expect(rules.isNamed('audit.default')).to.equal(true);
  });

  it('keeps its service from being deleted', () => {
    const rules = new RuleIndex([
      { resource: mirrored([{ service: 'audit', percent: 1 }]), revision: 1 },
      { resource: resourceOf(service({}, 'audit')), revision: 1 },
    ]);
    const remove = [{ kind: 'Service' as const, namespace: 'default', name: 'audit' }];
    const { problems } = planChange(
      { put: [], remove },
      rules,
      { domain: 'mesh.local', hasInstance: () => true, subscribers: () => 0, clientProblems: () => [] },
      false,
    );
    expect(problems.map(({ message }) => message)).to.deep.equal([
      'service "audit.default" cannot be deleted: Route/default/canary still name it; delete or change these first',
    ]);
  });
});
