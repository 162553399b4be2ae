"""Another attempt or not, in real workers: RetryLater, DoNotRetry, on, never, deadlines, functions, defaults."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Backoff, Callback, Queue, Retry, SimpleWorker, SpawnWorker, Worker
from rq.job import Job
from tests.failure import retrying
from tests.invariants import check
from tests.launch import burst, marks, told

BOTH = pytest.mark.parametrize('cls', [Worker, SimpleWorker])


def waits(redis: Redis, job: Job) -> float:
    """For how long a job is scheduled."""
    score = redis.zscore('rq:scheduled:default', job.id)
    assert score is not None, job.get_status()
    return float(score) - float(redis.time()[0])


def due(redis: Redis) -> None:
    """The time of every scheduled job has come."""
    for member in redis.zrange('rq:scheduled:default', 0, -1):
        redis.zadd('rq:scheduled:default', {member: 1})


def policy_of(redis: Redis, job: Job) -> str:
    return (redis.hget(job.key, 'retry_policy') or b'').decode()


# --- on, never ------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ('words', 'kind', 'runs'),
    [
        ({'on': retrying.Weather}, 'Storm', 3),
        ({'on': [ConnectionError, KeyError]}, 'Storm', 3),
        ({'on': 'OSError'}, 'Storm', 3),
        ({'on': 'tests.failure.retrying.Weather'}, 'Storm', 3),
        ({'on': retrying.Weather}, 'ValueError', 1),
        ({'on': 'nowhere.Weather'}, 'Storm', 1),
        ({'never': retrying.Weather}, 'Storm', 1),
        ({'never': retrying.Weather}, 'ValueError', 3),
        ({'on': OSError, 'never': retrying.Storm}, 'Weather', 3),
        ({'on': OSError, 'never': retrying.Storm}, 'Storm', 1),
        ({'never': SystemExit}, 'SystemExit', 1),
        # a re-export: the class says of itself that it stands in tests.failure.retrying
        ({'on': 'tests.failure.test_again.retrying.Weather'}, 'Storm', 3),
    ],
)
def test_some_failures_are_tried_again(
    redis: Redis, queue: Queue, cls: Any, words: dict[str, Any], kind: str, runs: int
) -> None:
    job = queue.enqueue(retrying.fails, kind, retry=Retry(2, **words))
    burst(redis, queue, cls=cls)
    assert len(marks(redis)) == runs and job.is_failed
    assert [one.is_final for one in job.attempts] == [False] * (runs - 1) + [True]
    assert check(redis) == []


def test_kinds_without_an_exception_have_classes_too(redis: Redis, queue: Queue) -> None:
    again = queue.enqueue(retrying.dies, retry=Retry(1, on='rq.exceptions.HorseKilledError'))
    final = queue.enqueue(retrying.dies, retry=Retry(1, never='rq.exceptions.HorseKilledError'))
    burst(redis, queue)
    assert len(again.attempts) == 2 and len(final.attempts) == 1
    assert again.is_failed and final.is_failed and check(redis) == []


@BOTH
def test_an_alias_that_is_not_imported_by_the_producer(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(retrying.fails, 'Storm', retry=Retry(1, on='socket.error'))  # OSError, under an old name
    burst(redis, queue, cls=cls)
    assert len(job.attempts) == 2


def test_handlers_know_whether_it_is_final(redis: Redis, queue: Queue) -> None:
    words: dict[str, Any] = {'on_failure': Callback(retrying.on_failure)}
    queue.enqueue(retrying.fails, 'ValueError', retry=Retry(5, never=ValueError), **words)
    queue.enqueue(retrying.fails, 'Storm', retry=Retry(1, never=ValueError), **words)
    burst(redis, queue, exception_handlers=[retrying.handler])
    assert told(redis) == [
        *('on_failure ValueError final=True', 'handler ValueError final=True'),
        *('on_failure Storm final=False', 'handler Storm final=False'),
        *('on_failure Storm final=True', 'handler Storm final=True'),
    ]


def test_a_handler_may_still_change_the_retries(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(retrying.fails, 'Storm', retry=Retry(5, on=OSError))
    burst(redis, queue, exception_handlers=[lambda job, *_: setattr(job, 'retries_left', min(job.retries_left, 1))])
    assert len(job.attempts) == 2 and job.is_failed


# --- DoNotRetry, RetryLater -----------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize('kind', ['DoNotRetry', 'Hopeless'])
def test_no_other_attempt(redis: Redis, queue: Queue, cls: Any, kind: str) -> None:
    words: dict[str, Any] = {'on_failure': Callback(retrying.on_failure)}
    job = queue.enqueue(retrying.fails, kind, retry=Retry(5), **words)
    burst(redis, queue, cls=cls, exception_handlers=[retrying.handler])
    assert marks(redis) == ['ran final=False'] and job.is_failed
    assert told(redis) == [f'on_failure {kind} final=True', f'handler {kind} final=True']
    job.refresh()
    assert job.retries_left == 5 and [one.is_final for one in job.attempts] == [True]
    assert check(redis) == []


@BOTH
def test_later_is_nobodys_error(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(retrying.comes_back_once, on_failure=Callback(retrying.on_failure))
    burst(redis, queue, cls=cls, exception_handlers=[retrying.handler])
    assert marks(redis) == ['ran', 'ran'] and told(redis) == []
    assert job.return_value() == 'there' and job.attempts == []
    assert [one.type.name for one in job.results()] == ['SUCCESSFUL', 'RETRIED']
    job.refresh()
    assert (job.number_of_retries, job.retries_left) == (1, None) and check(redis) == []


@BOTH
@pytest.mark.parametrize('after', [90, 89.5, timedelta(seconds=90)])
def test_later_waits(redis: Redis, queue: Queue, cls: Any, after: Any) -> None:
    job = queue.enqueue(retrying.comes_back, after, retry=Retry(3, interval=[5]))
    burst(redis, queue, cls=cls)
    assert 85 < waits(redis, job) <= 90 and job.get_status() == 'scheduled'
    job.refresh()
    assert (job.number_of_retries, job.retries_left) == (None, 2)


def test_later_without_a_time_waits_as_after_a_failure(redis: Redis, queue: Queue) -> None:
    plain = queue.enqueue(retrying.comes_back, None, retry=Retry(3, interval=[60]))
    grown = queue.enqueue(retrying.comes_back, None, retry=Retry.exponential(3, base=300, jitter=False))
    burst(redis, queue)
    assert 55 < waits(redis, plain) <= 60 and 295 < waits(redis, grown) <= 300


@BOTH
@pytest.mark.parametrize('kind', ['Odd', 'Leaving'])
def test_later_that_cannot_say_when_or_how_often(redis: Redis, queue: Queue, cls: Any, kind: str) -> None:
    with_retries = queue.enqueue(retrying.fails, kind, retry=Retry(3, interval=[60]))
    without = queue.enqueue(retrying.fails, kind)
    burst(redis, queue, cls=cls)
    assert 55 < waits(redis, with_retries) <= 60
    assert without.is_failed and marks(redis).count('ran final=False') + marks(redis).count('ran final=True') == 1 + 11


@BOTH
@pytest.mark.parametrize(
    ('retry', 'most', 'runs'), [(None, 2, 3), (Retry(1), 9, 2), (Retry(1, on=KeyError), 9, 2), (None, 0, 1)]
)
def test_later_is_a_failure_in_the_end(
    redis: Redis, queue: Queue, cls: Any, retry: Retry | None, most: int, runs: int
) -> None:
    job = queue.enqueue(retrying.comes_back, 0, most, 'Busy', retry=retry, on_failure=Callback(retrying.on_failure))
    burst(redis, queue, cls=cls, exception_handlers=[retrying.handler])
    assert marks(redis) == ['ran'] * runs and job.is_failed
    assert told(redis) == ['on_failure Busy final=True', 'handler Busy final=True']
    assert [(one.type_name, one.is_final) for one in job.attempts] == [('tests.failure.retrying.Busy', True)]
    assert [one.type.name for one in job.results()] == ['FAILED', *['RETRIED'] * (runs - 1)]
    assert check(redis) == []


def test_in_a_synchronous_queue_later_is_never(redis: Redis) -> None:
    job = Queue(connection=redis, is_async=False).enqueue(retrying.comes_back)
    assert job.is_failed


# --- waits ----------------------------------------------------------------------------------------------------------


def test_backoff(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(retrying.fails, retry=Retry.exponential(3, base=100, factor=3, cap=500, jitter=False))
    assert redis.hmget(job.key, 'retries_left', 'retry_intervals') == [b'3', b'[100,300,500]']
    for seconds in (100, 300, 500):
        burst(redis, queue)
        assert seconds - 5 < waits(redis, job) <= seconds
        due(redis)
    burst(redis, queue)
    assert job.is_failed and len(job.attempts) == 4


def test_jitter(redis: Redis, queue: Queue) -> None:
    jobs = [queue.enqueue(retrying.fails, retry=Retry(1, Backoff(base=500, cap=500))) for _ in range(8)]
    burst(redis, queue)
    found = [waits(redis, job) for job in jobs]
    assert all(-5 < one <= 500 for one in found) and len(set(found)) > 1


@BOTH
def test_a_function_says_how_long(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(retrying.fails, 'Storm', retry=Retry(2, interval=retrying.seconds_by_attempt))
    for seconds in (107, 207):
        burst(redis, queue, cls=cls)
        assert seconds - 5 < waits(redis, job) <= seconds
        due(redis)
    returned = queue.enqueue(retrying.returns_asking, 2)
    burst(redis, queue, cls=cls)
    assert job.is_failed and 95 < waits(redis, returned) <= 100


@BOTH
@pytest.mark.parametrize(
    'name', [*(f'tests.failure.retrying.{one}_interval' for one in ('broken', 'nonsense', 'missing')), 'no.such']
)
def test_a_function_that_fails_changes_nothing(
    redis: Redis, queue: Queue, cls: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    words: dict[str, Any] = {'on_failure': Callback(retrying.on_failure)}
    job = queue.enqueue(retrying.fails, retry=Retry(2, interval=name), **words)
    with caplog.at_level(logging.WARNING, 'rq.worker'):
        burst(redis, queue, cls=cls, max_jobs=1)
    assert job.get_status() == 'scheduled' and told(redis) == ['on_failure ValueError final=False']
    assert name in job.attempts[0].exc_string and check(redis) == []
    if cls is SimpleWorker:
        assert 'waits as its Retry has written down' in caplog.text


def test_a_deadly_function_is_asked_once(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(retrying.fails, retry=Retry(1, interval=retrying.deadly_interval))
    burst(redis, queue, max_jobs=1)
    assert job.get_status() == 'scheduled' and [one.type_name for one in job.attempts] == ['ValueError']
    assert check(redis) == []


# --- deadlines ------------------------------------------------------------------------------------------------------


@BOTH
def test_no_attempt_after_the_deadline(redis: Redis, queue: Queue, cls: Any) -> None:
    retry = Retry(9, interval=[100], deadline=150)
    job = queue.enqueue(retrying.fails, retry=retry, on_failure=Callback(retrying.on_failure))
    assert policy_of(redis, job) == '{"m":9,"d":150}'
    burst(redis, queue, cls=cls)
    assert job.get_status() == 'scheduled' and '"u":' in policy_of(redis, job)
    due(redis)  # earlier than it would be: time is what the deadline is about, so it is moved, too
    passed = datetime.now(UTC).timestamp() + 60
    redis.hset(job.key, 'retry_policy', f'{{"m":9,"d":150,"u":{passed}}}')
    burst(redis, queue, cls=cls)
    assert job.is_failed and marks(redis) == ['ran final=False', 'ran final=False']
    assert told(redis) == ['on_failure ValueError final=False', 'on_failure ValueError final=True']
    assert policy_of(redis, job) == '{"m":9,"d":150}'
    job.requeue()  # somebody gives it its time anew
    burst(redis, queue, cls=cls)
    assert job.get_status() == 'scheduled' and check(redis) == []


@BOTH
def test_a_retry_that_comes_too_late_is_not_run(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(retrying.fails, retry=Retry(9, interval=[100], deadline=timedelta(minutes=3)))
    burst(redis, queue, cls=cls)
    redis.hset(job.key, 'retry_policy', '{"m":9,"d":180,"u":1000}')
    due(redis)
    burst(redis, queue, cls=cls)
    assert job.is_failed and len(marks(redis)) == 1
    assert [one.type_name for one in job.attempts] == ['ValueError', 'rq.exceptions.RetryDeadlineError']
    job.requeue()
    burst(redis, queue, cls=cls)
    assert len(marks(redis)) == 2 and job.get_status() == 'scheduled'


def test_a_moment_is_a_deadline_for_retries_only(redis: Redis, queue: Queue) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    job = queue.enqueue(retrying.fails, retry=Retry(5, deadline=past))
    burst(redis, queue)
    assert marks(redis) == ['ran final=True'] and job.is_failed


def test_a_returned_retry_has_backoff_and_deadline(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(retrying.returns_retry, 5, 70)
    burst(redis, queue)
    assert 45 < waits(redis, job) <= 50
    soon = datetime.now(UTC).timestamp() + 30
    assert '"u":' in policy_of(redis, job)
    redis.hset(job.key, 'retry_policy', f'{{"m":5,"u":{soon}}}')
    due(redis)
    burst(redis, queue)
    assert job.is_failed and len(marks(redis)) == 2
    assert [one.type.name for one in job.results()] == ['MAX_RETRIES_EXCEEDED', 'RETRIED']


# --- defaults -------------------------------------------------------------------------------------------------------


class Stubborn(SimpleWorker):
    """Tries everything again."""

    default_retry = Retry(1, never=retrying.Weather)


@pytest.mark.parametrize('cls', [Worker, SimpleWorker, SpawnWorker])
def test_default_of_a_worker(redis: Redis, queue: Queue, cls: Any) -> None:
    plain = queue.enqueue(retrying.fails)
    named = queue.enqueue(retrying.fails, retry=Retry(1))
    never = queue.enqueue(retrying.fails, retry=False)
    killed = queue.enqueue(retrying.dies) if cls is not SimpleWorker else None
    later = queue.enqueue(retrying.comes_back)
    burst(redis, queue, cls=cls, default_retry=Retry(2, never=KeyError), exception_handlers=[retrying.handler])
    assert [len(job.attempts) for job in (plain, named, never, later)] == [3, 2, 1, 1]
    assert killed is None or len(killed.attempts) == 3
    assert marks(redis).count('ran final=True') == 3  # the last of each, and they knew
    assert redis.hmget(plain.key, 'retries_left', 'retry_intervals') == [b'0', b'[0]']
    assert len([word for word in told(redis) if word.endswith('=True')]) == (5 if killed else 4)
    assert check(redis) == []


def test_default_of_a_worker_class(redis: Redis, queue: Queue) -> None:
    again, final = queue.enqueue(retrying.fails), queue.enqueue(retrying.fails, 'Storm')
    burst(redis, queue, cls=Stubborn)
    assert (len(again.attempts), len(final.attempts)) == (2, 1)
    assert policy_of(redis, again) == '{"m":1,"n":["tests.failure.retrying.Weather"]}'


def test_what_is_no_retry_is_refused(redis: Redis, queue: Queue) -> None:
    with pytest.raises(TypeError, match=r'default_retry=3 is no Retry; write default_retry=Retry\(max=3\)'):
        Worker([queue], connection=redis, default_retry=3)
    with pytest.raises(TypeError, match='default_retry=3 is no Retry'):
        Queue(connection=redis, default_retry=3)
    with pytest.raises(TypeError, match='retry=3 is no Retry'):
        queue.enqueue(retrying.fails, retry=3)


def test_an_unreadable_policy_leaves_the_plain_retries(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(retrying.fails, retry=Retry(1, on=KeyError))
    redis.hset(job.key, 'retry_policy', '{"m":"many"')
    burst(redis, queue)
    assert job.is_failed and len(job.attempts) == 2 and check(redis) == []
