"""The verb `fire`: a firing is made once, whoever comes first, and its commands run in the same step."""

import pytest

from rq import Queue
from rq.store import cron, keys
from rq.store.call import ResponseError, run
from tests.jobs import add

AT = 1_900_000_000.25


@pytest.fixture
def fire(redis):
    def fire(owner='a', due=100.0, interval=None, now=AT, token=None, commands=(('RPUSH', 'made', 'x'),)):
        call = cron.fire('id', owner, token or f'{owner}{now}{due}', due, interval, commands, now)
        done = run(redis, call)
        return done.answer if done.answer != 'refused' else ('refused', round(done.age, 3))

    return fire


def made(redis):
    return redis.llen('made')


def test_once_for_a_due_time(redis, fire):
    assert fire('a') == 'fired'
    assert fire('b', now=AT + 2.5) == ('refused', 2.5)
    # for another time somebody else may, and then the first comes too late for what is covered
    assert fire('b', due=200.0) == 'fired'
    assert fire('c', due=150.0) == ('refused', 0)
    assert made(redis) == 2


def test_what_the_same_owner_wants_again_is_done(redis, fire):
    assert [fire('a'), fire('a', now=AT + 1)] == ['fired', 'fired']
    assert made(redis) == 2


def test_a_repeated_call(redis, fire):
    """redis-py repeats a call whose reply was lost."""
    assert [fire(token='t'), fire(token='t')] == ['fired', 'already']
    assert made(redis) == 1


def test_interval_is_shared(redis, fire):
    assert fire('a', interval=10) == 'fired'
    assert fire('b', interval=10, now=AT + 9.5, due=AT + 9.5) == ('refused', 9.5)
    assert fire('b', interval=10, now=AT + 10, due=AT) == 'fired'
    assert fire('a', interval=10, now=AT + 12) == ('refused', 2)
    assert fire('a', interval=10, now=AT - 500) == 'fired'  # the server's clock was put right


def test_the_record(redis, fire):
    fire('a', token='t', interval=5)
    assert redis.hgetall(keys.cron_fired('id')) == {
        b'owner': b'a', b'token': b't', b'due': b'100.0', b'at': b'1900000000.250000',
    }  # fmt: skip
    assert redis.ttl(keys.cron_fired('id')) > 31_000_000
    fire('a', interval=10**9)
    assert redis.ttl(keys.cron_fired('id')) > 10**9


def test_scripts_and_commands_of_a_pipeline(redis, fire):
    pipeline = redis.pipeline()
    jobs = [Queue(name, connection=redis).enqueue(add, b'\x00\r\n', pipeline=pipeline) for name in 'qr']
    cron.remember(pipeline, 'name', jobs[0].id, 12.5)
    assert fire(commands=cron.commands_of(pipeline)) == 'fired'
    for job in jobs:
        assert Queue(job.origin, connection=redis).job_ids == [job.id]
        job.refresh()
        assert (job.get_status().value, job.args) == ('queued', (b'\x00\r\n',))
    assert redis.zrange(keys.cron_history('name'), 0, -1, withscores=True) == [(jobs[0].id.encode(), 12.5)]
    assert redis.zscore(keys.CRON_JOBS, 'name') == 12.5


def test_refused_writes_nothing(redis, fire):
    fire('a')
    pipeline = redis.pipeline()
    Queue(connection=redis).enqueue(add, pipeline=pipeline)
    before = set(redis.keys())
    assert fire('b', commands=cron.commands_of(pipeline)) == ('refused', 0)
    assert set(redis.keys()) == before


def test_a_firing_that_failed_is_not_made(redis, fire):
    redis.set('text', 1)
    with pytest.raises(ResponseError):
        fire('a', commands=[('RPUSH', 'text', 'x')])
    assert not redis.exists(keys.cron_fired('id'))
    assert fire('b') == 'fired'
