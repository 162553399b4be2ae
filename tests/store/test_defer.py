"""defer: a job waits for others; when none of them is missing it does not wait at all."""

import pytest

from rq.store import enter, keys
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
    rest,
    results,
    started,
    text,
    text_of,
    unchanged,
)


def waiting(*parents, **words):
    allow = words.pop('allow', None)
    return record(_dependency_ids=list(parents), allow_dependency_failures=allow, **words)


def defer(redis, *parents, mode='ask', front=False, **words):
    return run(redis, enter.defer(waiting(*parents, **words), mode, front, NOW))


@pytest.mark.parametrize('mode', ['ask', 'enter', 'link'])
def test_everything_it_leaves(redis, mode):
    enqueue(redis, 'p')
    call = enter.defer(waiting('p', 'p', ttl=90), mode, False, NOW)
    assert run(redis, call) == 'ok'
    assert dump(redis) == {
        JOB: {'status': 'deferred', 'origin': 'q', 'data': DATA, 'ttl': '90', 'dependency_ids': '["p","p"]'},
        keys.job('p'): job(redis, 'p'),
        keys.QUEUES: {QUEUE},
        QUEUE: ['p'],
        keys.place('deferred', 'q'): {'j': SECOND},
        keys.dependencies('j'): {'p'},
        keys.dependents('p'): {'j'},
    }
    assert redis.ttl(JOB) == redis.ttl(keys.dependencies('j')) == 90
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call) == 'already'


@pytest.mark.parametrize('status', ['created', 'queued', 'failed', 'stopped', 'canceled', 'scheduled', 'deferred'])
@pytest.mark.parametrize('allow', [None, False, True])
def test_what_is_missing(redis, status, allow):
    enqueue(redis, 'p') if status == 'queued' else rest(redis, status, 'p')
    assert defer(redis, 'p', allow=allow) == ('met' if allow and status == 'failed' else 'ok')


def test_a_running_one_is_missing(redis):
    started(redis, 'p')
    assert defer(redis, 'p') == 'ok'
    assert check(redis) == []


@pytest.mark.parametrize('parents', [('gone',), ('p',), ('p', 'gone')])
def test_met(redis, parents):
    rest(redis, 'finished', 'p')
    with unchanged(redis):
        assert defer(redis, *parents) == 'met'
    enqueue(redis, 'k')
    redis.delete(WAKE)
    call = enter.defer(waiting(*parents, ttl=90), 'enter', True, NOW)
    assert run(redis, call) == 'entered'
    assert (job(redis)['status'], job(redis)['enqueued_at'], listed(redis)) == ('queued', text_of(NOW), ['j', 'k'])
    assert (redis.ttl(JOB), redis.llen(WAKE), members(redis, 'deferred')) == (90, 1, {})
    assert not redis.exists(keys.dependencies('j')) and not redis.exists(keys.dependents('p'))
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, call) == 'already'


def test_met_with_a_limit(redis):
    enqueue(redis, 'k', rate_limit_key='l', rate_limit_concurrency=1)
    assert defer(redis, 'gone', mode='enter', rate_limit_key='l', rate_limit_concurrency=1) == 'entered'
    assert job(redis)['status'] == 'rate_limited'
    assert check(redis) == []


def test_one_of_two_is_missing(redis):
    rest(redis, 'finished', 'p')
    redis.expire(keys.job('p'), 300)
    rest(redis, 'created', 'o')
    assert defer(redis, 'p', 'gone', 'o') == 'ok'
    assert text(redis.smembers(keys.dependencies('j'))) == {'p', 'gone', 'o'}
    assert redis.exists(keys.dependents('p'), keys.dependents('o')) == 2
    assert not redis.exists(keys.dependents('gone'))
    # the list of those who wait for a job goes with it
    assert (redis.ttl(keys.dependents('p')), redis.ttl(keys.dependents('o'))) == (300, -1)


def test_link_does_not_look(redis):
    assert defer(redis, 'gone', mode='link') == 'ok'
    assert job(redis)['status'] == 'deferred'
    assert text(redis.smembers(keys.dependents('gone'))) == {'j'}


@pytest.mark.parametrize('status', ['queued', 'failed', 'scheduled', 'deferred', 'canceled'])
def test_over_an_older_record(redis, status):
    rest(redis, 'created', 'p')
    if status == 'queued':
        enqueue(redis)
    else:
        rest(redis, status, started_at='x', ended_at='x', lost=1, repeats_left=3, allow_dependency_failures=1)
    redis.sadd(keys.dependencies('j'), 'old')
    redis.sadd(keys.dependents('old'), 'j')
    redis.expire(JOB, 50)
    assert defer(redis, 'p') == 'ok'
    assert job(redis) == {'status': 'deferred', 'origin': 'q', 'data': DATA, 'dependency_ids': '["p"]'} | (
        {'enqueued_at': text_of(NOW)} if status == 'queued' else {}
    )
    assert (redis.ttl(JOB), listed(redis), members(redis, 'deferred')) == (-1, [], {'j': SECOND})
    assert text(redis.smembers(keys.dependencies('j'))) == {'p'}
    assert not redis.exists(keys.dependents('old'))
    assert check(redis) == []


@pytest.mark.parametrize('mode', ['ask', 'enter', 'link'])
def test_while_it_runs(redis, mode):
    rest(redis, 'created', 'p')
    lease = started(redis)
    with unchanged(redis):
        assert defer(redis, 'p', mode=mode) == 'started'
    assert lease and results(redis) == []
