"""release: an interrupted execution is handed back, uncharged."""

from rq.store import keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import JOB, NOW, dump, enqueue, job, listed, results, started, take, text_of


def test_to_the_front(redis):
    lease = started(redis, retries_left=2)
    enqueue(redis, 'k')
    redis.hset(JOB, mapping={'lost': 2, 'lost_at': 5})
    redis.delete(keys.wake('q'))
    assert run(redis, settle.release(lease, NOW + 9)) == 'ok'
    assert listed(redis) == ['j', 'k']
    found = job(redis)
    assert (found['status'], found['enqueued_at'], found['retries_left']) == ('queued', text_of(NOW + 9), '2')
    assert (found['lost'], found['lost_at']) == ('2', '5')
    assert dump(redis)[keys.worker('w')] == {'state': 'busy', 'claim': 'e'}
    assert redis.llen(keys.wake('q')) == 1
    assert results(redis) == []
    assert check(redis) == []


def test_and_taken_by_somebody_else(redis):
    lease = started(redis)
    run(redis, settle.release(lease, NOW))
    take(redis, 'f', worker='v')
    assert run(redis, settle.release(lease, NOW)) == 'lost'
    assert check(redis) == []
