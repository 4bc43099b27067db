import { expect } from 'chai';
import { ClusterNews } from '../../../../server/xds/cluster-news.ts';

describe('news of clusters', () => {
  it('are kept until the client asks for endpoints, and then are no news any more', () => {
    const news = new ClusterNews();
    news.changed(['a', 'b']);
    news.changed(['b', 'c']);
    expect([...news.takeChanged()]).to.deep.equal(['a', 'b', 'c']);
    expect([...news.takeChanged()]).to.deep.equal([]);
  });

  it('are of all clusters once there are very many, or when they are said to be', () => {
    const [many, all] = [new ClusterNews(), new ClusterNews()];
    many.changed(Array.from({ length: 1_001 }, (_, index) => `c${index}`));
    all.changed('all');
    all.changed(['a']);
    expect([many.takeChanged(), all.takeChanged()]).to.deep.equal(['all', 'all']);
  });

  it('wait for the endpoints of what is new, until it has them or nobody waits any longer', () => {
    const news = new ClusterNews();
    for (const name of ['a', 'b']) news.added(name);
    expect(news.firstAdded((name) => name === 'a')).to.equal('b');
    expect(news.firstAdded((name) => name === 'b')).to.equal(undefined);
    news.added('c');
    news.giveUpAdded();
    expect(news.firstAdded(() => false)).to.equal(undefined);
  });
});
