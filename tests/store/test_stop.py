"""stop: ended on purpose. What it shares with fail stands in test_fail.py and test_settles.py."""

from rq.store import keys, operate, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import NOW, job, members, started


def test_a_stopped_job_can_be_requeued(redis):
    run(redis, settle.stop(started(redis), 600, 'stopped', {}, NOW))
    assert (job(redis)['status'], list(members(redis, 'failed'))) == ('stopped', ['j'])
    assert run(redis, operate.requeue(keys.place('failed', 'q'), 'j', now=NOW)).answer == 'ok'
    assert check(redis) == []


def test_a_stop_after_the_end_is_lost(redis):
    lease = started(redis)
    run(redis, settle.finish(lease, 500, None, (), {}, NOW))
    assert run(redis, settle.stop(lease, 600, 'stopped', {}, NOW)) == 'lost'
    assert job(redis)['status'] == 'finished'
    assert check(redis) == []
