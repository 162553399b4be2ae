"""schedule: a job waits for its time."""

import pytest

from rq.store import enter, keys
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    DATA,
    JOB,
    NOW,
    QUEUE,
    RESTING,
    SECOND,
    dump,
    enqueue,
    job,
    listed,
    members,
    record,
    rest,
    started,
    unchanged,
)


def schedule(redis, due=2_000_000_000, unique=False, **attributes):
    return run(redis, enter.schedule(record(**attributes), due, unique, NOW))


def test_a_new_job(redis):
    assert schedule(redis, enqueue_at_front=True) == 'ok'
    assert dump(redis) == {
        JOB: {'status': 'scheduled', 'origin': 'q', 'data': DATA, 'enqueue_at_front': '1'},
        keys.QUEUES: {QUEUE},
        keys.place('scheduled', 'q'): {'j': 2_000_000_000},
    }
    assert check(redis) == []


def test_ttl(redis):
    schedule(redis, ttl=90)
    assert redis.ttl(JOB) == 90


@pytest.mark.parametrize('status', [*RESTING, 'queued'])
def test_an_id_that_exists_leaves_its_place(redis, status):
    if status == 'queued':
        enqueue(redis, queue='other')
    else:
        rest(redis, status, queue='other', lost=1, ended_at='x', failure_callback_name='m.g')
    redis.expire(JOB, 50)
    assert schedule(redis) == 'ok'
    assert job(redis) == {'status': 'scheduled', 'origin': 'q', 'data': DATA} | (
        {'enqueued_at': job(redis)['enqueued_at']} if status == 'queued' else {}
    )
    assert members(redis, 'scheduled') == {'j': 2_000_000_000}
    assert listed(redis, 'other') == []
    assert redis.ttl(JOB) == -1
    assert check(redis) == []


def test_a_running_job_is_left_alone(redis):
    started(redis)
    with unchanged(redis):
        assert schedule(redis) == 'started'


def test_a_started_job_that_nobody_holds_is_scheduled(redis):
    rest(redis, 'started')
    assert schedule(redis) == 'ok'
    assert check(redis) == []


@pytest.mark.parametrize('status', [*RESTING, 'queued'])
def test_unique(redis, status):
    rest(redis, status)
    with unchanged(redis):
        assert schedule(redis, unique=True) == 'duplicate'


def test_unique_and_new(redis):
    assert schedule(redis, unique=True) == 'ok'


def test_repeated(redis):
    call = enter.schedule(record(), 2_000_000_000, unique=True, now=NOW)
    assert run(redis, call) == 'ok'
    with unchanged(redis):
        assert run(redis, call) == 'already'
    redis.delete(keys.place('scheduled', 'q'))  # promoted meanwhile
    with unchanged(redis):
        assert run(redis, call) == 'already'


@pytest.mark.parametrize(
    ('delay', 'due'), [('+60.0', SECOND + 60), ('+0.5', SECOND), ('+0.75', SECOND + 1), ('+-5', SECOND - 5)]
)
def test_so_long_from_the_servers_now(redis, delay, due):
    assert run(redis, enter.schedule(record(), delay, now=NOW)) == 'ok'
    assert redis.zscore(keys.place('scheduled', 'q'), 'j') == due
