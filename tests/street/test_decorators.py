"""The decorator `@job`."""

import inspect
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry
from rq.decorators import job
from rq.job import Job
from tests import jobs


def called(*args: Any, **kwargs: Any) -> Any:
    """What the decorator is put on; a fresh one for each test, because it gets attributes."""
    return args, kwargs


@pytest.fixture
def func() -> Any:
    """A function of this module that carries no `.delay` yet."""
    fresh = type(called)(called.__code__, called.__globals__, 'called')
    fresh.__doc__ = called.__doc__
    return fresh


def test_delay_and_enqueue_are_one_function(redis: Redis, func: Any) -> None:
    decorated = job('low', connection=redis)(func)
    assert decorated is func and func.delay is func.enqueue
    assert func.delay.__name__ == 'called' and func.delay.__doc__ == called.__doc__
    assert func(1, a=2) == ((1,), {'a': 2}), 'called directly, it just runs'
    made = func.delay(1, a=2)
    assert (made.origin, made.args, made.kwargs, made.func_name) == ('low', (1,), {'a': 2}, f'{__name__}.called')
    assert Queue('low', connection=redis).job_ids == [made.id]


def test_options_of_the_decorator(redis: Redis, func: Any) -> None:
    retry = Retry(max=2, interval=[5])
    job(
        Queue('mine', connection=redis), redis, timeout=61, result_ttl=7, ttl=8, failure_ttl=9, meta={'a': 1},
        description='says', retry=retry, on_success=Callback(jobs.on_success), on_failure=Callback(jobs.on_failure),
        on_stopped=Callback(jobs.on_stopped),
    )(func)  # fmt: skip
    found = Job.fetch(func.delay().id, connection=redis)
    assert (found.origin, found.timeout, found.result_ttl, found.ttl, found.failure_ttl) == ('mine', 61, 7, 8, 9)
    assert (found.meta, found.description, found.retries_left, found.retry_intervals) == ({'a': 1}, 'says', 2, [5])
    names = (found._success_callback_name, found._failure_callback_name, found._stopped_callback_name)
    assert names == ('tests.jobs.on_success', 'tests.jobs.on_failure', 'tests.jobs.on_stopped')


def test_the_call_beats_the_decorator(redis: Redis, func: Any) -> None:
    queue = Queue('low', connection=redis)
    first, second = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    job(queue, redis, depends_on=[first])(func)
    assert func.delay(job_id='own')._dependency_ids == [first.id]
    assert func.delay(depends_on=second)._dependency_ids == [second.id]
    assert Job.fetch('own', connection=redis).kwargs == {}, 'job_id is no argument of the function'


@pytest.mark.parametrize(
    ('decorator', 'call', 'front'),
    [(True, {}, True), (True, {'at_front': False}, False), (False, {'at_front': True}, True), (False, {}, False)],
)
def test_at_front(redis: Redis, func: Any, decorator: bool, call: dict[str, bool], front: bool) -> None:
    queue = Queue('low', connection=redis)
    queue.enqueue(jobs.add)
    made = job('low', redis, at_front=decorator)(func).delay(**call)
    assert queue.job_ids.index(made.id) == (0 if front else 1)
    assert made.kwargs == {}


class OwnQueue(Queue):
    """A queue of the user's."""


class own_job(job):
    """A decorator of the user's, with a queue class."""

    queue_class = OwnQueue


def test_queue_classes(redis: Redis) -> None:
    assert job.queue_class is Queue and job('a', redis).queue_class is Queue
    assert job('a', redis, queue_class=OwnQueue).queue_class is OwnQueue
    assert own_job('a', redis).queue_class is OwnQueue


def test_a_name_without_connection_is_an_error_of_the_call_not_of_the_decorator(func: Any) -> None:
    decorated = job('low')(func)
    with pytest.raises(TypeError):
        decorated.delay()


def test_positional_order() -> None:
    names = 'self queue connection timeout result_ttl ttl queue_class depends_on at_front meta description failure_ttl'
    rest = 'retry on_failure on_success on_stopped webhooks on_final_failure keep_on_failure'
    assert list(inspect.signature(job.__init__).parameters) == [*names.split(), *rest.split()]
