"""Rate limits: so many may be queued or running, the others wait; whoever ends gives the slot to the next."""

import pytest

from rq.store import enter, keys, operate, promote, settle, slots
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    DATA,
    JOB,
    NOW,
    QUEUE,
    SECOND,
    WAKE,
    dump,
    enqueue,
    job,
    listed,
    members,
    record,
    started,
    take,
    text,
    text_of,
    unchanged,
)

TIMES = (1.5, 4.0, 2.5)
LIMITED = {'rate_limit_key': 'l', 'rate_limit_concurrency': 1}


def limited(redis, job_id='j', concurrency=1, now=NOW, **words):
    return enqueue(redis, job_id, now=now, rate_limit_key='l', rate_limit_concurrency=concurrency, **words)


def books(redis):
    """Slot holders, and those who wait in order."""
    holders, line = (text(redis.zrange(key, 0, -1)) for key in (keys.slots('l'), keys.waiting('l')))
    return sorted(holders), line


def status(redis, *ids):
    return [job(redis, job_id).get('status') for job_id in ids or ['j']]


def running(redis, *others, **words):
    """j runs in the one slot, the others wait."""
    lease = started(redis, **LIMITED, **words)
    for other in others:
        limited(redis, other)
    return lease


def test_everything_it_leaves(redis):
    assert limited(redis, 'j', ttl=90) == 'queued'
    call = enter.enqueue(record('k', ttl=90, **LIMITED), True, now=NOW)
    assert run(redis, call) == ('rate_limited', NOW)
    fields = {'origin': 'q', 'data': DATA, 'ttl': '90', 'rate_limit_key': 'l', 'rate_limit_concurrency': '1'}
    assert dump(redis) == {
        JOB: {**fields, 'status': 'queued', 'enqueued_at': text_of(NOW)},
        keys.job('k'): {**fields, 'status': 'rate_limited', 'enqueue_at_front': '1'},
        keys.QUEUES: {QUEUE},
        QUEUE: ['j'],
        keys.LIMITS: {'l'},
        keys.limit('l'): {'concurrency': '1'},
        keys.slots('l'): {'j': SECOND},
        keys.waiting('l'): {'k': SECOND},
    }
    assert redis.ttl(JOB) == redis.ttl(keys.job('k')) == 90
    assert redis.llen(WAKE) == 1
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call).answer == 'already'


def test_the_oldest_first_ties_by_name(redis):
    running(redis)
    for number, job_id in enumerate(['z', 'b', 'a']):
        limited(redis, job_id, now=NOW + (number > 0))
    assert books(redis) == (['j'], ['z', 'a', 'b'])


def test_the_latest_concurrency_counts(redis):
    for job_id in 'jklm':
        limited(redis, job_id)
    assert books(redis) == (['j'], ['k', 'l', 'm'])
    assert limited(redis, 'n', 3) == 'rate_limited'
    assert books(redis) == (['j', 'k', 'l'], ['m', 'n'])
    assert listed(redis) == ['j', 'k', 'l']
    limited(redis, 'o', 1)
    run(redis, settle.finish(take(redis), 500, None, TIMES, {}, NOW))
    assert books(redis) == (['k', 'l'], ['m', 'n', 'o'])  # of two in one slot none is sent away


def test_across_queues(redis):
    limited(redis, 'j')
    assert limited(redis, 'k', queue='other') == 'rate_limited'
    redis.delete(keys.QUEUES)
    run(redis, operate.delete('j'))
    assert (listed(redis, 'other'), redis.llen(keys.wake('other'))) == (['k'], 1)
    assert text(redis.smembers(keys.QUEUES)) == {keys.queue('other')}
    assert check(redis) == []


def test_front(redis):
    running(redis)
    limited(redis, 'f', front=True)
    enqueue(redis, 'o')
    run(redis, operate.cancel('j'))
    run(redis, slots.free('l', 'j'))
    assert listed(redis) == ['f', 'o']


# --- what becomes of a slot ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'settled',
    [
        lambda lease: settle.finish(lease, 500, b'7', TIMES, {}, NOW),
        lambda lease: settle.finish(lease, 0, b'7', TIMES, {}, NOW),
        lambda lease: settle.finish(lease, 500, b'7', TIMES, {'repeats_left': 1}, NOW, repeat=5),
        lambda lease: settle.fail(lease, 500, 'x', TIMES, {}, now=NOW),
        lambda lease: settle.fail(lease, 0, 'x', TIMES, {}, now=NOW),
        lambda lease: settle.fail(lease, 500, 'x', TIMES, {}, stored=False, now=NOW),
        lambda lease: settle.stop(lease, 500, 'x', {}, NOW),
        lambda lease: settle.retry(lease, 5, False, TIMES, {}, NOW),
        lambda lease: settle.retry_returned(lease, 5, False, 500, b'7', TIMES, {}, NOW),
    ],
)
def test_an_end_gives_it_to_the_next(redis, settled):
    lease = running(redis, 'k', 'o')
    call = settled(lease)
    assert run(redis, call) == 'ok'
    assert (books(redis), listed(redis)) == ((['k'], ['o']), ['k'])
    assert job(redis, 'k')['enqueued_at'] == text_of(NOW)
    unstored = ['j'] if status(redis) == ['failed'] and not members(redis, 'failed') else []
    assert check(redis, unstored) == []
    with unchanged(redis):
        assert run(redis, call) in ('already', 'gone')


@pytest.mark.parametrize(
    'settled',
    [
        lambda lease: settle.finish(lease, 500, b'7', TIMES, {'repeats_left': 1}, NOW, repeat=0),
        lambda lease: settle.retry(lease, 0, False, TIMES, {}, NOW),
        lambda lease: settle.retry_returned(lease, 0, False, 500, b'7', TIMES, {}, NOW),
        lambda lease: settle.release(lease, NOW),
    ],
)
def test_whoever_goes_back_at_once_keeps_it(redis, settled):
    lease = running(redis, 'k')
    run(redis, settled(lease))
    assert (books(redis), listed(redis)) == ((['j'], ['k']), ['j'])
    assert check(redis) == []


def test_again_keeps_it(redis):
    lease = running(redis, 'k')
    assert limited(redis, 'j') == 'again'
    run(redis, settle.fail(lease, 500, 'x', TIMES, {}, now=NOW))
    assert (books(redis), status(redis)) == ((['j'], ['k']), ['queued'])
    assert check(redis) == []


@pytest.mark.parametrize('end', ['finish', 'fail', 'stop', 'retry', 'release'])
def test_again_with_another_limit(redis, end):
    """The slot that the execution holds is given back at its end, and the new one competed for."""
    enqueue(redis, 'x', rate_limit_key='m', rate_limit_concurrency=1)
    lease = running_beside_x(redis)
    limited(redis, 'k')
    words = {'rate_limit_key': 'm', 'rate_limit_concurrency': 1}
    assert enqueue(redis, 'j', **words) == 'again'
    assert books(redis) == (['j'], ['k'])
    assert check(redis) == []
    calls = {
        'finish': settle.finish(lease, 500, b'7', TIMES, {}, NOW),
        'fail': settle.fail(lease, 500, 'x', TIMES, {}, now=NOW),
        'stop': settle.stop(lease, 500, 'x', {}, NOW),
        'retry': settle.retry(lease, 0, False, TIMES, {}, NOW),
        'release': settle.release(lease, NOW),
    }
    run(redis, calls[end])
    assert books(redis) == (['k'], [])
    assert status(redis) == ['rate_limited']
    assert check(redis) == []
    run(redis, operate.delete('x'))
    assert status(redis) == ['queued']
    assert check(redis) == []


def running_beside_x(redis):
    redis.lrem(QUEUE, 0, 'x')
    lease = running(redis)
    redis.rpush(QUEUE, 'x')
    return lease


def test_again_with_a_limit_where_there_was_none(redis):
    lease = started(redis)
    limited(redis, 'k')
    assert limited(redis, 'j') == 'again'
    run(redis, settle.finish(lease, 500, b'7', TIMES, {}, NOW))
    assert (books(redis), status(redis)) == ((['k'], ['j']), ['rate_limited'])
    assert check(redis) == []


def test_again_without_a_limit(redis):
    lease = running(redis, 'k')
    assert enqueue(redis) == 'again'
    run(redis, settle.finish(lease, 500, b'7', TIMES, {}, NOW))
    assert (books(redis), listed(redis)) == ((['k'], []), ['k', 'j'])
    assert check(redis) == []


@pytest.mark.parametrize('place', ['queued', 'waiting'])
def test_cancel(redis, place):
    limited(redis, 'j' if place == 'queued' else 'h')
    limited(redis, 'k' if place == 'queued' else 'j')
    limited(redis, 'o')
    run(redis, operate.cancel('j', now=NOW))
    assert books(redis) == ((['k'], ['o']) if place == 'queued' else (['h'], ['o']))
    assert check(redis) == []


@pytest.mark.parametrize('place', ['queued', 'waiting'])
def test_delete(redis, place):
    limited(redis, 'j' if place == 'queued' else 'h')
    limited(redis, 'k' if place == 'queued' else 'j')
    limited(redis, 'o')
    run(redis, operate.delete('j', now=NOW))
    assert books(redis) == ((['k'], ['o']) if place == 'queued' else (['h'], ['o']))
    assert check(redis) == []


def test_empty(redis):
    for job_id in 'jkl':
        limited(redis, job_id, 2)
    assert run(redis, operate.empty('q')) == 2
    assert (books(redis), listed(redis)) == ((['l'], []), ['l'])
    assert check(redis) == []


def test_cancel_while_it_runs(redis):
    """The function may still run: the end of the execution gives the slot back."""
    lease = running(redis, 'k')
    run(redis, operate.cancel('j', now=NOW))
    assert books(redis) == (['j'], ['k'])
    assert run(redis, slots.clean('l', NOW)) == 0
    call = settle.finish(lease, 500, b'7', TIMES, {}, NOW)
    assert run(redis, call) == 'lost'
    assert (books(redis), status(redis, 'j', 'k')) == ((['k'], []), ['canceled', 'queued'])
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call) == 'lost'


def test_delete_while_it_runs(redis):
    lease = running(redis, 'k')
    run(redis, operate.delete('j', now=NOW))
    assert books(redis) == (['j'], ['k'])
    assert run(redis, slots.clean('l', NOW)) == 0
    assert check(redis) == []
    call = settle.finish(lease, 500, b'7', TIMES, {}, NOW)
    assert run(redis, call) == 'gone'
    assert books(redis) == (['k'], [])
    assert not redis.exists(keys.executions('j'), keys.execution('j', 'e'))
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call) == 'gone'


def test_delete_while_it_runs_with_a_colon_in_its_id(redis):
    limited(redis, 'a:b')
    lease = take(redis)
    run(redis, operate.delete('a:b', now=NOW))
    assert books(redis) == (['a:b'], [])
    assert run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW)) == 'gone'
    assert books(redis) == ([], [])


def test_delete_while_it_runs_and_nobody_settles(redis):
    running(redis, 'k')
    run(redis, operate.delete('j', now=NOW))
    assert run(redis, slots.clean('l', NOW + 1000)) == 1
    assert books(redis) == (['k'], [])


@pytest.mark.parametrize('gone', ['cancel', 'delete'])
def test_the_same_id_anew_while_the_old_execution_runs(redis, gone):
    """It stays in its slot, and the late end of the old execution takes nothing from it."""
    lease = running(redis, 'k')
    run(redis, operate.cancel('j', now=NOW) if gone == 'cancel' else operate.delete('j', now=NOW))
    assert limited(redis, 'j') == 'queued'
    assert run(redis, settle.finish(lease, 500, b'7', TIMES, {}, NOW)) == 'lost'
    assert (books(redis), status(redis)) == ((['j'], ['k']), ['queued'])
    assert check(redis) == []


def test_waiting_is_not_lost_by_the_end_of_an_old_execution(redis):
    lease = running(redis, 'k')
    run(redis, operate.cancel('j', now=NOW))
    run(redis, slots.free('l', 'j', now=NOW))
    assert run(redis, operate.requeue(keys.place('canceled', 'q'), 'j', now=NOW)).answer == 'ok'
    assert books(redis) == (['k'], ['j'])
    assert run(redis, settle.finish(lease, 500, b'7', TIMES, {}, NOW)) == 'lost'
    assert books(redis) == (['k'], ['j'])
    assert check(redis) == []


@pytest.mark.parametrize('front', [False, True])
def test_requeue_competes_again(redis, front):
    lease = running(redis, 'k', enqueue_at_front=True)
    run(redis, settle.fail(lease, 500, 'x', TIMES, {}, now=NOW))
    assert run(redis, operate.requeue(keys.place('failed', 'q'), 'j', front, NOW)).answer == 'ok'
    assert (books(redis), status(redis)) == ((['k'], ['j']), ['rate_limited'])
    assert job(redis)['enqueue_at_front'] == str(int(front))
    assert members(redis, 'failed') == {}
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, operate.requeue(keys.place('failed', 'q'), 'j', front, NOW)).answer == 'absent'


def test_due_competes_again(redis):
    lease = running(redis, 'k')
    run(redis, settle.retry(lease, 5, False, TIMES, {}, NOW))
    assert run(redis, promote.promote_due('q', now=NOW + 9)) == 1
    assert (books(redis), status(redis)) == ((['k'], ['j']), ['rate_limited'])
    assert check(redis) == []


@pytest.mark.parametrize('how', ['enqueue', 'enqueue with another', 'schedule', 'defer'])
def test_a_new_record_leaves_the_line(redis, how):
    running(redis, 'w', 'x')
    if how == 'enqueue':
        enqueue(redis, 'w')
    elif how == 'enqueue with another':
        enqueue(redis, 'w', rate_limit_key='m', rate_limit_concurrency=1)
    elif how == 'schedule':
        run(redis, enter.schedule(record('w'), SECOND + 9, now=NOW))
    else:
        run(redis, enter.defer(record('w', _dependency_ids=['j']), now=NOW))
    assert books(redis) == (['j'], ['x'])
    assert check(redis) == []
