"""requeue_many, delete_many, cancel_many: a batch of failed jobs, those that failed before the action began."""

import pytest

from rq.store import keys, many
from rq.store.call import run
from tests.invariants import check
from tests.store.world import JOB, MS, NOW, enqueue, job, listed, members, rest, started, text_of, unchanged

BEGAN = MS + 1
GROUP = 'abcdefabcdefabcd'
VERBS = {'requeue': many.requeue_many, 'delete': many.delete_many, 'cancel': many.cancel_many}


def failed(redis, job_id='j', at=MS, bucket=f'{GROUP}:1', **fields):
    """A job of the failed registry, in a bucket or in none."""
    rest(redis, 'failed', job_id, **{'started_at': text_of(at / 1000 - 1), 'ended_at': text_of(at / 1000), **fields})
    if bucket:
        redis.hset(keys.job(job_id), 'failed_in', bucket)
        redis.zadd(keys.failed_in(bucket), {job_id: at})
        redis.zadd(keys.FAILURES, {GROUP: at})
        redis.hset(keys.failure(GROUP), mapping={'places': 1, 'first_seen': MS, 'count': 1, 'in:q\nm.f': '1 1'})


def act(redis, verb, *job_ids, number=1, began=BEGAN, queue='', ended=b'-', **words):
    chosen = [many.Chosen(one.encode(), queue, ended) for one in job_ids]
    return run(redis, VERBS[verb](many.Action('a', began), number, chosen, now=NOW, **words))


@pytest.mark.parametrize('verb', VERBS)
def test_all_of_a_batch(redis, verb):
    for job_id in 'jkl':
        failed(redis, job_id)
    assert act(redis, verb, 'j', 'k') == [True, True]
    assert members(redis, 'failed') == {'l': 5}
    assert redis.zrange(keys.failed_in(f'{GROUP}:1'), 0, -1) == [b'l']
    if verb == 'delete':
        assert not redis.exists(JOB, keys.job('k'))
    else:
        assert job(redis)['status'] == {'requeue': 'queued', 'cancel': 'canceled'}[verb]
        assert 'failed_in' not in job(redis)
    assert listed(redis) == (['j', 'k'] if verb == 'requeue' else [])
    assert members(redis, 'canceled') == (dict.fromkeys('jk', int(NOW)) if verb == 'cancel' else {})
    assert check(redis) == []
    assert 0 < redis.ttl(keys.bulk('a')) <= 3600


@pytest.mark.parametrize('verb', VERBS)
def test_a_repeated_batch_answers_as_it_did(redis, verb):
    failed(redis)
    failed(redis, 'k', at=BEGAN)
    assert act(redis, verb, 'j', 'k') == [True, False]
    failed(redis)  # again
    with unchanged(redis):
        assert act(redis, verb, 'j', 'k') == [True, False]


@pytest.mark.parametrize('verb', VERBS)
@pytest.mark.parametrize('at, changed', [(BEGAN - 1, True), (BEGAN, False), (BEGAN + 5, False)])
def test_only_what_failed_before(redis, verb, at, changed):
    failed(redis, at=at)
    assert act(redis, verb, 'j') == [changed]


@pytest.mark.parametrize('verb', VERBS)
@pytest.mark.parametrize('status', ['queued', 'stopped', 'finished', 'canceled', 'deferred'])
def test_only_what_is_failed(redis, verb, status):
    enqueue(redis) if status == 'queued' else rest(redis, status)
    redis.hset(JOB, mapping={'failed_in': f'{GROUP}:1'})
    redis.zadd(keys.failed_in(f'{GROUP}:1'), {'j': MS})
    before = job(redis)
    assert act(redis, verb, 'j') == [False]
    assert job(redis) == before


@pytest.mark.parametrize('verb', VERBS)
def test_a_started_one(redis, verb):
    started(redis)
    assert act(redis, verb, 'j') == [False]
    assert job(redis)['status'] == 'started'


@pytest.mark.parametrize('verb', VERBS)
def test_without_a_bucket_the_end_must_be_the_same(redis, verb):
    failed(redis, bucket='')
    assert act(redis, verb, 'j', queue='q') == [False]
    assert act(redis, verb, 'j', queue='q', ended=b'x', number=2) == [False]
    assert act(redis, verb, 'j', queue='q', ended=text_of(NOW).encode(), number=3) == [True]
    assert check(redis) == []


@pytest.mark.parametrize('verb', VERBS)
def test_an_entry_that_does_not_hold(redis, verb):
    failed(redis, started_at=text_of(NOW + 60))  # started since, and failed again, by RQ 3.0
    assert act(redis, verb, 'j') == [False]


@pytest.mark.parametrize('verb', VERBS)
def test_what_is_no_job(redis, verb):
    redis.set(keys.job('k'), 'x')
    failed(redis)
    assert act(redis, verb, 'none', 'k', 'j') == [False, False, True]
    assert act(redis, verb, number=2) == []


def test_the_registry_of_another_queue(redis):
    failed(redis, bucket='')
    redis.zrem(keys.place('failed', 'q'), 'j')
    redis.zadd(keys.place('failed', 'other'), {'j': 5})
    assert act(redis, 'requeue', 'j', queue='other', ended=text_of(NOW).encode()) == [True]
    assert listed(redis) == ['j'] and members(redis, 'failed', 'other') == {}


def test_not_registered(redis):
    failed(redis)
    redis.zrem(keys.place('failed', 'q'), 'j')
    assert act(redis, 'requeue', 'j') == [False]


def test_at_the_front(redis):
    enqueue(redis, 'k')
    failed(redis)
    act(redis, 'requeue', 'j', front=True)
    assert listed(redis) == ['j', 'k']


@pytest.mark.parametrize('release', [False, True])
def test_dependents_of_canceled_ones(redis, release):
    failed(redis)
    rest(redis, 'deferred', 'k')
    redis.sadd(keys.dependents('j'), 'k')
    redis.sadd(keys.dependencies('k'), 'j')
    redis.sadd(keys.dependencies('j'), 'p')
    redis.sadd(keys.dependents('p'), 'j')
    act(redis, 'cancel', 'j', release_dependents=release, forget_dependencies=True)
    assert listed(redis) == (['k'] if release else [])
    assert not redis.exists(keys.dependents('p'))


@pytest.mark.parametrize('together', [False, True])
def test_dependents_of_deleted_ones(redis, together):
    failed(redis)
    rest(redis, 'deferred', 'k')
    redis.sadd(keys.dependents('j'), 'k')
    redis.sadd(keys.dependencies('k'), 'j')
    act(redis, 'delete', 'j', with_dependents=together)
    assert listed(redis) == ([] if together else ['k'])
    assert bool(redis.exists(keys.job('k'))) != together


def test_too_many_dependents_for_one_batch(redis):
    for parent in 'jkl':
        failed(redis, parent)
        redis.sadd(keys.dependents(parent), *(f'{parent}{number}' for number in range(450)))
    assert act(redis, 'delete', 'j', 'k', 'l') == [True, True]
    assert act(redis, 'delete', 'l', number=2) == [True]
