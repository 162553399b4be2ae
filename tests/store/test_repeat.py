"""finish of a job that repeats: the success is recorded, and the job goes on to its next time."""

import pytest

from rq.store import keys, promote, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    JOB,
    NOW,
    SECOND,
    WAKE,
    enqueue,
    job,
    listed,
    members,
    results,
    started,
    take,
    text_of,
    unchanged,
)

TIMES = (1.5, 4.0, 2.5)


def repeat(redis, lease, seconds, ttl=500, left=2, **words):
    call = settle.finish(lease, ttl, b'7', TIMES, {'repeats_left': left}, NOW, repeat=seconds, **words)
    return run(redis, call), call


def test_at_once(redis):
    lease = started(redis, repeats_left=3, ttl=90)
    enqueue(redis, 'k')
    redis.delete(WAKE)
    answer, call = repeat(redis, lease, 0)
    assert answer == 'ok'
    fields = job(redis)
    assert (fields['status'], fields['repeats_left'], fields['enqueued_at']) == ('queued', '2', text_of(NOW))
    assert (fields['ended_at'], fields['last_heartbeat']) == (text_of(4), text_of(NOW))
    assert (listed(redis), members(redis, 'finished'), redis.llen(WAKE)) == (['k', 'j'], {'j': SECOND + 500}, 1)
    assert [each['type'] for each in results(redis)] == ['1']
    assert redis.ttl(JOB) == 90
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call) == 'already'


def test_later(redis):
    answer, call = repeat(redis, started(redis, repeats_left=3), 10, ttl=-1)
    assert answer == 'ok'
    assert job(redis)['status'] == 'scheduled'
    assert (members(redis, 'scheduled'), members(redis, 'finished')) == ({'j': SECOND + 10}, {'j': float('inf')})
    assert (listed(redis), redis.ttl(JOB)) == ([], -1)
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call) == 'already'
    assert run(redis, promote.promote_due('q', now=NOW + 10)) == 1
    assert listed(redis) == ['j']
    assert check(redis) == []


@pytest.mark.parametrize('seconds', [0, 10])
def test_results_that_are_not_kept(redis, seconds):
    repeat(redis, started(redis, repeats_left=3), seconds, ttl=0)
    assert job(redis)['status'] == ('scheduled' if seconds else 'queued')
    assert results(redis) == [] and members(redis, 'finished') == {}
    assert check(redis) == []


def test_the_last_time(redis):
    repeat(redis, started(redis, repeats_left=1), 0, left=0)
    lease = take(redis, 'e2')
    run(redis, settle.finish(lease, 300, b'8', TIMES, {}, NOW + 5))
    assert (job(redis)['status'], redis.ttl(JOB), members(redis, 'finished')) == ('finished', 300, {'j': SECOND + 305})
    assert len(results(redis)) == 2
    assert check(redis) == []


def test_the_last_time_leaves_nothing(redis):
    repeat(redis, started(redis, repeats_left=1), 0, left=0)
    run(redis, settle.finish(take(redis, 'e2'), 0, b'8', TIMES, {}, NOW))
    assert members(redis, 'finished') == {} and not redis.exists(JOB, keys.results('j'))


@pytest.mark.parametrize('seconds', [0, 10])
def test_a_second_enqueue_meanwhile(redis, seconds):
    """The new record says whether it repeats."""
    lease = started(redis, repeats_left=3)
    assert enqueue(redis) == 'again'
    repeat(redis, lease, seconds)
    assert (job(redis)['status'], listed(redis)) == ('queued', ['j'])
    assert 'repeats_left' not in job(redis) and members(redis, 'scheduled') == {}
    assert check(redis) == []


def test_a_repetition_that_fails(redis):
    repeat(redis, started(redis, repeats_left=3), 0)
    run(redis, settle.fail(take(redis, 'e2'), 600, 'x', TIMES, {}, now=NOW))
    assert job(redis)['status'] == 'failed'
    assert check(redis) == []
