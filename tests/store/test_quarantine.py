"""quarantine: a job is put among the failed ones, as programs of 0.x do it."""

import base64
import zlib

import pytest

from rq.store import keys, settle
from rq.store.call import run
from rq.store.quarantine import quarantine
from tests.invariants import check
from tests.store.world import (
    JOB,
    NOW,
    SECOND,
    dump,
    enqueue,
    job,
    members,
    record,
    rest,
    results,
    started,
    text_of,
    unchanged,
)

TIMES = (1.5, 4.0, 2.5)


def put(redis, ttl=600, **words):
    queue = words.pop('queue', 'q')
    return run(redis, quarantine(record('j', queue, worker_name='w'), ttl, 'Traceback ä', now=NOW + 9, **words))


def failed_unstored(redis):
    """A failure as a worker of era A leaves it to its handlers."""
    assert run(redis, settle.fail(started(redis), 600, 'x', TIMES, {}, stored=False, now=NOW + 8)) == 'ok'
    assert check(redis, unstored=['j']) == []


def test_everything_it_leaves(redis):
    failed_unstored(redis)
    before = dump(redis)
    assert put(redis, execution='e', times=TIMES, only_failed=True) == 'ok'
    found = dump(redis)
    assert set(found) == {*before, keys.place('failed', 'q'), keys.results('j')}
    assert found[keys.place('failed', 'q')] == {'j': SECOND + 609}
    assert (found[JOB]['status'], found[JOB]['last_heartbeat']) == ('failed', text_of(NOW + 9))
    (result,) = results(redis)
    assert zlib.decompress(base64.b64decode(result.pop('exc_string'))).decode() == 'Traceback ä'
    times = {'execution_started_at': '1.500000', 'execution_ended_at': '4.000000'}
    assert result == {'type': '2', 'worker_name': 'w', 'execution_id': 'e', **times}
    assert redis.ttl(JOB) == redis.ttl(keys.results('j')) == 600
    assert check(redis) == []


def test_a_repeated_call_changes_nothing(redis):
    failed_unstored(redis)
    words = {'execution': 'e', 'times': TIMES, 'only_failed': True}
    assert put(redis, **words) == 'ok'
    with unchanged(redis):
        assert put(redis, **words) == 'ok'


@pytest.mark.parametrize('ttl, life, score', [(-1, -1, -1), (-5, -1, -5), (100, 100, SECOND + 109)])
def test_failure_ttl(redis, ttl, life, score):
    rest(redis, 'created')
    assert put(redis, ttl) == 'ok'
    assert redis.ttl(JOB) == redis.ttl(keys.results('j')) == life
    assert members(redis, 'failed') == {'j': score}


def test_failure_ttl_0_keeps_only_the_registry_entry(redis):
    rest(redis, 'created')
    assert put(redis, 0) == 'ok'
    assert set(dump(redis)) == {keys.place('failed', 'q'), keys.QUEUES}


@pytest.mark.parametrize('status', ['created', 'finished', 'stopped', 'canceled', 'deferred', 'scheduled', 'failed'])
def test_from_any_status(redis, status):
    rest(redis, status)
    assert put(redis) == 'ok'
    assert job(redis)['status'] == 'failed'
    assert check(redis) == []


def test_from_the_queue(redis):
    enqueue(redis)
    assert put(redis) == 'ok'
    assert check(redis) == []


def test_into_another_queue(redis):
    rest(redis, 'finished', queue='old')
    assert put(redis, queue='new') == 'ok'
    assert (members(redis, 'finished', 'old'), set(members(redis, 'failed', 'new'))) == ({}, {'j'})
    assert check(redis) == []


def test_an_unsaved_job(redis):
    assert put(redis) == 'ok'
    assert (job(redis)['origin'], members(redis, 'failed')) == ('q', {'j': SECOND + 609})
    assert check(redis) == []


@pytest.mark.parametrize('status', ['queued', 'finished', 'canceled'])
def test_the_default_handler_stores_only_what_failed(redis, status):
    enqueue(redis) if status == 'queued' else rest(redis, status)
    with unchanged(redis):
        assert put(redis, only_failed=True) == 'moved'


def test_the_default_handler_does_not_revive_a_deleted_job(redis):
    with unchanged(redis):
        assert put(redis, only_failed=True) == 'gone'


@pytest.mark.parametrize('only_failed', [True, False])
def test_what_runs_is_left_to_its_worker(redis, only_failed):
    started(redis)
    with unchanged(redis):
        assert put(redis, only_failed=only_failed) == ('moved' if only_failed else 'started')


def test_a_slot_is_given_back(redis):
    rest(redis, 'queued', rate_limit_key='limit')
    redis.zadd(keys.slots('limit'), {'j': 1})
    assert put(redis) == 'ok'
    assert not redis.exists(keys.slots('limit'))
